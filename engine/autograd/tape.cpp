#include "engine/autograd/tape.h"

#include <algorithm>

#include "kernels/copy/copy.h"

namespace engine {

using kernels::GradMode;

Variable Tape::leaf(Tensor value, Tensor grad) {
  CPM_CHECK(value.shape() == grad.shape() && value.dtype() == grad.dtype(), "a leaf {} with a gradient {}",
            to_string(value.shape()), to_string(grad.shape()));
  if (!recording_) return {std::move(value), nullptr};
  for (const auto& known : leaves_) {
    // A weight that is used twice has one gradient, which both uses add to.
    if (known->grad.memory().get() == grad.memory().get()) return {std::move(value), known};
  }
  auto state = std::make_shared<GradState>();
  state->shape = value.shape();
  state->dtype = value.dtype();
  state->grad = std::move(grad);
  leaves_.push_back(state);
  return {std::move(value), std::move(state)};
}

Variable Tape::record(const char* op, Tensor value, const std::vector<Variable>& inputs, Vjp vjp) {
  const bool wanted = recording_ && std::any_of(inputs.begin(), inputs.end(),
                                                [](const Variable& input) { return input.requires_grad(); });
  if (!wanted) return {std::move(value), nullptr};
  auto state = std::make_shared<GradState>();
  state->shape = value.shape();
  state->dtype = value.dtype();
  nodes_.push_back({op, state, std::move(vjp)});
  return {std::move(value), std::move(state)};
}

GradSlot Tape::slot(const std::shared_ptr<GradState>& state) {
  if (state == nullptr) return {};
  if (!state->grad.defined()) state->grad = context_->allocate(state->shape, state->dtype);
  const GradMode mode = state->written ? GradMode::Accumulate : GradMode::Overwrite;
  state->written = true;
  return {state->grad, mode};
}

void Tape::watch(const Variable& output, std::function<void(const Tensor& grad)> watcher) {
  CPM_CHECK(output.requires_grad(), "a variable without gradient is watched");
  output.grad->watcher = std::move(watcher);
}

void Tape::backward(const std::vector<Variable>& losses) {
  CPM_CHECK(recording_, "backward on a tape that does not record");
  for (const Variable& loss : losses) {
    CPM_CHECK(loss.requires_grad(), "a loss that depends on no parameter");
    loss.grad->written = true;
  }
  while (!nodes_.empty()) {
    Node node = std::move(nodes_.back());
    nodes_.pop_back();
    // An output that no loss depends on was never written: its inputs get nothing from it.
    if (node.output->written) {
      if (node.output->watcher) node.output->watcher(node.output->grad);
      node.vjp(*this, node.output->grad);
    }
    node.output->grad = {};
  }
  for (const auto& leaf : leaves_) {
    if (leaf->written || context_->dry()) continue;
    kernels::visit_dtype(leaf->dtype, [&](auto zero) {
      using T = decltype(zero);
      kernels::copy_kernels<T>(context_->exec.backend)
          .fill(context_->exec, leaf->grad.count(), T{0}, leaf->grad.data<T>());
    });
  }
  leaves_.clear();
}

}  // namespace engine
