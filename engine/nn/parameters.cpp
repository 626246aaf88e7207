#include "engine/nn/parameters.h"

#include <cmath>

#include "engine/runtime/random.h"

namespace engine {

namespace {

constexpr int64_t kAlignElements = 16;  // 64 bytes of float

}  // namespace

void ParameterStore::add(const std::string& name, Shape shape) {
  CPM_CHECK(!flat_value_.defined(), "parameter {} added after allocate()", name);
  CPM_CHECK(index_.emplace(name, parameters_.size()).second, "two parameters named {}", name);
  parameters_.push_back({name, shape, flat_count_, {}, {}});
  flat_count_ += (shape.count() + kAlignElements - 1) / kAlignElements * kAlignElements;
}

void ParameterStore::allocate() {
  flat_value_ = Tensor::zeros({flat_count_}, dtype_, place_);
  flat_grad_ = Tensor::zeros({flat_count_}, dtype_, place_);
  for (Parameter& p : parameters_) {
    p.value = slice_of(flat_value_, p.offset, p.shape);
    p.grad = slice_of(flat_grad_, p.offset, p.shape);
  }
}

const Parameter& ParameterStore::at(const std::string& name) const {
  const auto found = index_.find(name);
  CPM_CHECK(found != index_.end(), "no parameter named {}", name);
  return parameters_[found->second];
}

int64_t ParameterStore::count() const {
  int64_t total = 0;
  for (const Parameter& p : parameters_) total += p.shape.count();
  return total;
}

Tensor slice_of(const Tensor& flat, int64_t offset, Shape shape) {
  CPM_CHECK(offset >= 0 && offset + shape.count() <= flat.count(), "a slice {} at {} of {} elements",
            to_string(shape), offset, flat.count());
  auto* data = static_cast<std::byte*>(flat.memory().get());
  const size_t bytes = static_cast<size_t>(offset) * kernels::dtype_size(flat.dtype());
  return {shape, flat.dtype(), std::shared_ptr<void>(flat.memory(), data + bytes), flat.place()};
}

void fill_normal(const Tensor& tensor, double std, uint64_t seed, uint64_t index) {
  Random random(seed, RandomStream::Weights, index);
  std::vector<double> values(static_cast<size_t>(tensor.count()));
  for (double& value : values) value = std * random.normal();
  assign<double>(tensor, values);
}

double he_std(const Shape& weight) {
  return std::sqrt(2.0 / static_cast<double>(weight[1] * weight[2] * weight[3]));
}

}  // namespace engine
