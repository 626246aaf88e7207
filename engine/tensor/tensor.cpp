#include "engine/tensor/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace engine {

Shape::Shape(std::initializer_list<int64_t> sizes) : Shape(std::vector<int64_t>(sizes)) {}

Shape::Shape(const std::vector<int64_t>& sizes) : rank_(static_cast<int>(sizes.size())) {
  CPM_CHECK(sizes.size() <= sizes_.size(), "a shape of {} axes", sizes.size());
  std::copy(sizes.begin(), sizes.end(), sizes_.begin());
}

int64_t Shape::count() const {
  int64_t product = 1;
  for (int axis = 0; axis < rank_; ++axis) product *= (*this)[axis];
  return product;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int axis = 0; axis < shape.rank(); ++axis)
    text += (axis > 0 ? ", " : "") + std::to_string(shape[axis]);
  return text + "]";
}

Tensor Tensor::zeros(Shape shape, DType dtype) {
  constexpr size_t kAlign = 64;
  const size_t bytes = static_cast<size_t>(shape.count()) * kernels::dtype_size(dtype);
  const size_t size = std::max(kAlign, (bytes + kAlign - 1) / kAlign * kAlign);
  void* memory = std::aligned_alloc(kAlign, size);
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0, size);
  return {shape, dtype, std::shared_ptr<void>(memory, std::free)};
}

template <class T>
void assign(const Tensor& to, std::span<const T> values) {
  CPM_CHECK(static_cast<int64_t>(values.size()) == to.count(), "{} values for a tensor {}", values.size(),
            to_string(to.shape()));
  kernels::visit_dtype(to.dtype(), [&](auto zero) {
    using U = decltype(zero);
    std::transform(values.begin(), values.end(), to.data<U>(), [](T v) { return static_cast<U>(v); });
  });
}

template void assign(const Tensor&, std::span<const float>);
template void assign(const Tensor&, std::span<const double>);

}  // namespace engine
