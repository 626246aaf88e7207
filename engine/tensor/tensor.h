// A tensor: a shape, an element type and shared memory. Always contiguous, C order (NCHW for images, KCRS for
// weights). Copies share the memory; there are no views with strides.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/error.h"
#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace engine {

using kernels::DType;

/// Where memory lies.
struct Place {
  kernels::Backend backend = kernels::Backend::Cpu;
  int device = 0;

  Place() = default;
  Place(kernels::Backend b, int d) : backend(b), device(d) {}
  explicit Place(const kernels::Exec& exec) : Place(exec.backend, exec.device) {}
  bool on_host() const { return backend == kernels::Backend::Cpu; }
  bool operator==(const Place&) const = default;
};

/// Up to four sizes.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes);
  explicit Shape(const std::vector<int64_t>& sizes);

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return sizes_[static_cast<size_t>(axis)]; }
  int64_t count() const;
  std::vector<int64_t> to_vector() const { return {sizes_.begin(), sizes_.begin() + rank_}; }
  bool operator==(const Shape&) const = default;

 private:
  std::array<int64_t, 4> sizes_{};
  int rank_ = 0;
};

/// "[1, 3, 368, 368]".
std::string to_string(const Shape& shape);

class Tensor {
 public:
  Tensor() = default;
  /// `memory` holds shape's elements; kept alive by the tensor.
  Tensor(Shape shape, DType dtype, std::shared_ptr<void> memory, Place place = {})
      : shape_(shape), dtype_(dtype), place_(place), memory_(std::move(memory)) {}
  /// Memory of its own, zero-filled: for parameters and inputs, which outlive steps.
  static Tensor zeros(Shape shape, DType dtype, Place place = {});

  bool defined() const { return memory_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  const Place& place() const { return place_; }
  int64_t count() const { return shape_.count(); }
  size_t bytes() const { return static_cast<size_t>(count()) * kernels::dtype_size(dtype_); }

  /// The elements, in the memory of place(); T must be the tensor's type.
  template <class T>
  T* data() const {
    CPM_CHECK(dtype_ == kernels::kDTypeOf<T>, "a tensor of {} read as {}", kernels::dtype_name(dtype_),
              kernels::dtype_name(kernels::kDTypeOf<T>));
    return static_cast<T*>(memory_.get());
  }
  /// The elements of a tensor in host memory.
  template <class T>
  std::span<T> span() const {
    CPM_CHECK(place_.on_host(), "a tensor on device {} read by the host", place_.device);
    return {data<T>(), static_cast<size_t>(count())};
  }
  const std::shared_ptr<void>& memory() const { return memory_; }

 private:
  Shape shape_;
  DType dtype_ = DType::F32;
  Place place_;
  std::shared_ptr<void> memory_;
};

/// Fills `to` from host values, converting between float and double. Counts must agree. A tensor on a device
/// is written after everything queued there is done.
template <class T>
void assign(const Tensor& to, std::span<const T> values);

/// The tensor itself where it lies in host memory; otherwise a copy of what it holds when everything queued
/// on its device is done.
Tensor to_host(const Tensor& tensor);

}  // namespace engine
