#include "engine/optim/optimizer.h"

#include "kernels/optim/optim.h"

namespace engine {

Optimizer::Optimizer(ParameterStore& store, const OptimizerOptions& options,
                     std::vector<ParameterScale> scales)
    : store_(&store), options_(options), scales_(std::move(scales)) {
  CPM_CHECK(scales_.size() == store.all().size(), "{} scales for {} parameters", scales_.size(),
            store.all().size());
  first_ = Tensor::zeros({store.flat_count()}, store.dtype());
  if (options_.kind == OptimizerOptions::Kind::Adam)
    second_ = Tensor::zeros({store.flat_count()}, store.dtype());
}

void Optimizer::step(const kernels::Exec& exec, double lr) {
  ++steps_;
  kernels::visit_dtype(store_->dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto& kernel = kernels::optim_kernels<T>(exec.backend);
    for (size_t i = 0; i < scales_.size(); ++i) {
      const Parameter& p = store_->all()[i];
      const double rate = lr * scales_[i].lr, decay = options_.weight_decay * scales_[i].decay;
      if (options_.kind == OptimizerOptions::Kind::Adam) {
        kernel.adam(exec, p.shape.count(),
                    {.lr = rate,
                     .beta1 = options_.beta1,
                     .beta2 = options_.beta2,
                     .eps = options_.eps,
                     .decay = decay,
                     .step = steps_},
                    p.grad.data<T>(), first_.data<T>() + p.offset, second_.data<T>() + p.offset,
                    p.value.data<T>());
      } else {
        kernel.sgd(exec, p.shape.count(),
                   {.lr = rate, .momentum = options_.momentum, .decay = decay, .first = steps_ == 1},
                   p.grad.data<T>(), first_.data<T>() + p.offset, p.value.data<T>());
      }
    }
  });
}

std::vector<std::pair<std::string, Tensor>> Optimizer::state() const {
  if (options_.kind == OptimizerOptions::Kind::Adam) return {{"adam_m", first_}, {"adam_v", second_}};
  return {{"momentum", first_}};
}

size_t Optimizer::state_bytes() const {
  return first_.bytes() + (second_.defined() ? second_.bytes() : 0);
}

}  // namespace engine
