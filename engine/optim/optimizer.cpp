#include "engine/optim/optimizer.h"

#include <atomic>

namespace engine {

using kernels::AdamSegment;
using kernels::SgdSegment;

namespace {

int64_t next_id() {
  static std::atomic<int64_t> last{0};
  return ++last;
}

}  // namespace

Optimizer::Optimizer(ParameterStore& store, const OptimizerOptions& options,
                     std::vector<ParameterScale> scales)
    : store_(&store),
      id_(next_id()),
      options_(options),
      scales_(std::move(scales)),
      learning_(scales_.size(), true) {
  CPM_CHECK(scales_.size() == store.all().size(), "{} scales for {} parameters", scales_.size(),
            store.all().size());
  first_ = Tensor::zeros({store.flat_count()}, store.dtype(), store.place());
  if (options_.kind == OptimizerOptions::Kind::Adam)
    second_ = Tensor::zeros({store.flat_count()}, store.dtype(), store.place());
}

void Optimizer::learn(std::vector<bool> learning, int64_t since) {
  CPM_CHECK(learning.size() == scales_.size(), "{} flags for {} parameters", learning.size(), scales_.size());
  CPM_CHECK(since <= steps_, "parameters that learn from step {} on, at step {}", since, steps_);
  learning_ = std::move(learning);
  since_ = since;
}

void Optimizer::step(const kernels::Exec& exec, double lr) {
  CPM_CHECK(exec.backend == kernels::Backend::Cpu, "step() on {}", kernels::backend_name(exec.backend));
  segments_.resize(segments_bytes());
  prepare(lr, segments_.data());
  launch(exec, segments_.data());
}

size_t Optimizer::segments_bytes() const {
  return kernels::visit_dtype(store_->dtype(), [&](auto zero) {
    using T = decltype(zero);
    const bool adam = options_.kind == OptimizerOptions::Kind::Adam;
    return scales_.size() * (adam ? sizeof(AdamSegment<T>) : sizeof(SgdSegment<T>));
  });
}

void Optimizer::prepare(double lr, void* segments) {
  ++steps_;
  kernels::visit_dtype(store_->dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (size_t i = 0; i < scales_.size(); ++i) {
      const Parameter& p = store_->all()[i];
      // A segment of no element keeps its place in the table, which a recorded launch was made for.
      const kernels::Segment segment{p.offset, learning_[i] ? p.shape.count() : 0};
      const double rate = lr * scales_[i].lr, decay = options_.weight_decay * scales_[i].decay;
      if (options_.kind == OptimizerOptions::Kind::Adam) {
        static_cast<AdamSegment<T>*>(segments)[i] =
            kernels::adam_segment<T>(segment, {.lr = rate,
                                               .beta1 = options_.beta1,
                                               .beta2 = options_.beta2,
                                               .eps = options_.eps,
                                               .decay = decay,
                                               .step = steps_ - since_});
      } else {
        static_cast<SgdSegment<T>*>(segments)[i] = kernels::sgd_segment<T>(
            segment,
            {.lr = rate, .momentum = options_.momentum, .decay = decay, .first = steps_ - since_ == 1});
      }
    }
  });
}

size_t Optimizer::workspace_bytes(kernels::Backend backend) const {
  return kernels::visit_dtype(store_->dtype(), [&](auto zero) {
    return kernels::optim_kernels<decltype(zero)>(backend).workspace(store_->flat_count(),
                                                                     static_cast<int64_t>(scales_.size()));
  });
}

void Optimizer::launch(const kernels::Exec& exec, const void* segments, kernels::UpdateSums* sums) const {
  kernels::visit_dtype(store_->dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto count = static_cast<int64_t>(scales_.size());
    const auto& kernel = kernels::optim_kernels<T>(exec.backend);
    kernels::OptimArrays<T> arrays{.count = store_->flat_count(),
                                   .g = store_->flat_grad().data<T>(),
                                   .m = first_.data<T>(),
                                   .w = store_->flat_value().data<T>(),
                                   .sums = sums};
    if (options_.kind == OptimizerOptions::Kind::Adam) {
      arrays.v = second_.data<T>();
      kernel.adam(exec, {static_cast<const AdamSegment<T>*>(segments), count}, arrays);
    } else {
      if (options_.momentum == 0) arrays.m = nullptr;
      kernel.sgd(exec, {static_cast<const SgdSegment<T>*>(segments), count}, arrays);
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
