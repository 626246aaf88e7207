#include "engine/tensor/tensor.h"

#include <algorithm>

#include "kernels/base/device_runtime.h"

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

namespace {

size_t bytes_of(const Shape& shape, DType dtype) {
  return static_cast<size_t>(shape.count()) * kernels::dtype_size(dtype);
}

/// An Exec for copies outside any step, in the device's default stream.
kernels::Exec exec_of(const Place& place) {
  kernels::Exec exec;
  exec.backend = place.backend;
  exec.device = place.device;
  return exec;
}

void copy_now(const Place& place, void* to, const void* from, size_t bytes) {
  kernels::DeviceRuntime& runtime = kernels::device_runtime(place.backend);
  runtime.synchronize_device(place.device);
  runtime.copy(exec_of(place), to, from, bytes);
  runtime.synchronize(exec_of(place));
}

}  // namespace

Tensor Tensor::zeros(Shape shape, DType dtype, Place place) {
  const size_t bytes = bytes_of(shape, dtype);
  kernels::DeviceRuntime& runtime = kernels::device_runtime(place.backend);
  std::shared_ptr<void> memory(runtime.allocate(place.device, std::max<size_t>(bytes, 1)),
                               [&runtime, device = place.device](void* p) { runtime.release(device, p); });
  runtime.zero(exec_of(place), memory.get(), bytes);
  runtime.synchronize(exec_of(place));
  return {shape, dtype, std::move(memory), place};
}

template <class T>
void assign(const Tensor& to, std::span<const T> values) {
  CPM_CHECK(static_cast<int64_t>(values.size()) == to.count(), "{} values for a tensor {}", values.size(),
            to_string(to.shape()));
  if (!to.place().on_host()) {
    const Tensor host = Tensor::zeros(to.shape(), to.dtype());
    assign(host, values);
    copy_now(to.place(), to.memory().get(), host.memory().get(), to.bytes());
    return;
  }
  kernels::visit_dtype(to.dtype(), [&](auto zero) {
    using U = decltype(zero);
    std::transform(values.begin(), values.end(), to.data<U>(), [](T v) { return static_cast<U>(v); });
  });
}

template void assign(const Tensor&, std::span<const float>);
template void assign(const Tensor&, std::span<const double>);

Tensor to_host(const Tensor& tensor) {
  if (tensor.place().on_host()) return tensor;
  const Tensor host = Tensor::zeros(tensor.shape(), tensor.dtype());
  copy_now(tensor.place(), host.memory().get(), tensor.memory().get(), tensor.bytes());
  return host;
}

}  // namespace engine
