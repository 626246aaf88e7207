#include "cpm/grad_collector.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace cpm {

using engine::Tensor;

namespace {

constexpr size_t kAlign = 64;

size_t aligned(size_t bytes) {
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

Tensor block_at(engine::Place place, size_t bytes) {
  return Tensor::zeros({static_cast<int64_t>((bytes + 7) / 8)}, engine::DType::F64, place);
}

template <class S>
S* part(void* block, size_t offset) {
  return reinterpret_cast<S*>(static_cast<std::byte*>(block) + offset);
}

}  // namespace

GradCollector::GradCollector(const Model& model, const kernels::Exec& exec, const GradOptions& options)
    : model_(&model), exec_(exec), runtime_(&kernels::device_runtime(exec.backend)), options_(options) {
  for (const Layer& layer : model.layers()) {
    if (layer.kind == LayerKind::Conv) convs_.push_back(layer);
  }
  if (options.activations) outputs_.resize(convs_.size());
  stats_ = 0;
  histograms_ = aligned(stats_ + places() * sizeof(kernels::SegmentStats));
  updates_ = aligned(histograms_ + places() * sizeof(kernels::LogHistogram));
  linear_ = aligned(updates_ + places() * sizeof(kernels::UpdateSums));
  const size_t counters = options.linear.bins > 0 ? static_cast<size_t>(options.linear.counters()) : 0;
  bytes_ = linear_ + places() * counters * sizeof(uint32_t);
  results_ = block_at(engine::Place(exec), bytes_);
  segments_ = block_at(engine::Place(exec), places() * sizeof(kernels::Segment));
  host_ = {runtime_->allocate_staging(bytes_),
           [runtime = runtime_](void* p) { runtime->release_staging(p); }};
  std::memset(host_.get(), 0, bytes_);
}

void GradCollector::prepare() {
  std::vector<kernels::Segment> table;
  for (const engine::Parameter& p : model_->parameters().all()) table.push_back({p.offset, p.shape.count()});
  for (const engine::Shape& output : outputs_) table.push_back({0, output.count()});
  runtime_->copy(exec_, segments_.memory().get(), table.data(), table.size() * sizeof(kernels::Segment));
  runtime_->synchronize(exec_);
}

void GradCollector::begin(const engine::Context& context) {
  // Linear bins are added to; activations that no loss depends on are never seen; a step may make no update.
  if (!context.dry()) runtime_->zero(exec_, results_.memory().get(), bytes_);
}

Model::OutputObserver GradCollector::observer(engine::Tape* tape) {
  if (!options_.activations) return nullptr;
  return [this, tape, index = size_t{0}](const Layer&, const engine::Variable& output) mutable {
    const size_t place = index++;
    if (tape->context().dry()) outputs_[place] = output.shape();
    if (!output.requires_grad()) return;  // everything up to it is frozen
    tape->watch(output, [this, tape, place](const Tensor& grad) {
      count(tape->context(), grad, parameters() + place, 1);
    });
  };
}

void GradCollector::count_parameters(const engine::Context& context) {
  count(context, model_->parameters().flat_grad(), 0, parameters());
}

/// Statistics of `tensors` segments of `grad`, from the table's and the results' `place` on.
void GradCollector::count(const engine::Context& context, const Tensor& grad, size_t place, size_t tensors) {
  kernels::visit_dtype(grad.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto& kernel = kernels::reduce_kernels<T>(exec_.backend);
    const auto count = static_cast<int64_t>(tensors);
    const size_t bytes = kernel.workspace(grad.count(), count, true);
    const auto workspace = bytes > 0 ? context.arena->allocate(bytes) : nullptr;
    if (context.dry()) return;
    void* const results = results_.memory().get();
    const kernels::SegmentedArray array{grad.count(),
                                        part<kernels::Segment>(segments_.memory().get(), 0) + place, count};
    kernel.segments(engine::with_workspace(exec_, workspace.get(), bytes), array, grad.data<T>(),
                    part<kernels::SegmentStats>(results, stats_) + place,
                    part<kernels::LogHistogram>(results, histograms_) + place);
    if (options_.linear.bins == 0) return;
    kernel.linear(exec_, array, grad.data<T>(), options_.linear,
                  part<uint32_t>(results, linear_) + place * static_cast<size_t>(options_.linear.counters()));
  });
}

kernels::UpdateSums* GradCollector::update_sums() {
  return part<kernels::UpdateSums>(results_.memory().get(), updates_);
}

void GradCollector::fetch() {
  runtime_->copy(exec_, host_.get(), results_.memory().get(), bytes_);
}

std::vector<GradTensor> GradCollector::tensors() const {
  std::vector<GradTensor> tensors;
  for (size_t i = 0; i < convs_.size(); ++i) {
    const Layer& conv = convs_[i];
    GradTensor tensor{.depth = static_cast<int>(i) + 1, .stage = conv.stage, .layer = conv.name};
    for (const std::string kind : {"weight", "bias"}) {
      tensor.name = conv.name + "." + kind;
      tensor.kind = kind;
      tensor.shape = model_->parameters().at(tensor.name).shape.to_vector();
      tensors.push_back(tensor);
    }
    if (outputs_.empty()) continue;
    tensor.name = conv.name + ".output";
    tensor.kind = "activation";
    tensor.shape = outputs_[i].to_vector();
    tensors.push_back(tensor);
  }
  return tensors;
}

std::vector<GradCounts> GradCollector::counts() const {
  const auto counters = static_cast<size_t>(options_.linear.counters());
  const auto of = [&](size_t place) {
    GradCounts counts{.stats = part<kernels::SegmentStats>(host_.get(), stats_)[place],
                      .histogram = part<kernels::LogHistogram>(host_.get(), histograms_)[place],
                      .update = part<kernels::UpdateSums>(host_.get(), updates_)[place]};
    const uint32_t* linear = part<uint32_t>(host_.get(), linear_) + place * counters;
    if (options_.linear.bins > 0) counts.linear.assign(linear, linear + counters);
    return counts;
  };
  std::vector<GradCounts> all;
  for (size_t i = 0; i < convs_.size(); ++i) {
    all.push_back(of(2 * i));
    all.push_back(of(2 * i + 1));
    if (!outputs_.empty()) all.push_back(of(parameters() + i));
  }
  return all;
}

kernels::ArrayStats GradCollector::total() const {
  kernels::ArrayStats total;
  for (size_t place = 0; place < parameters(); ++place) {
    const kernels::SegmentStats& stats = part<kernels::SegmentStats>(host_.get(), stats_)[place];
    total.sum_squares += stats.sum_squares;
    total.max_abs = std::max(total.max_abs, stats.max_abs);
    total.non_finite += stats.nan + stats.inf;
  }
  return total;
}

}  // namespace cpm
