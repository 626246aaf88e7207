// Element types, directions of a convolution and what a kernel does to a gradient buffer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kernels {

/// Element types a tensor may have.
enum class DType { F32, F64 };

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::F32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::F64;
};
template <class T>
inline constexpr DType kDTypeOf = DTypeOf<T>::value;

constexpr size_t dtype_size(DType type) {
  return type == DType::F32 ? 4 : 8;
}

constexpr const char* dtype_name(DType type) {
  return type == DType::F32 ? "F32" : "F64";
}

/// Calls `body(T{})` with the C++ type of `type`, so that typed kernel tables are picked in one place.
template <class Body>
decltype(auto) visit_dtype(DType type, Body&& body) {
  return type == DType::F32 ? body(float{}) : body(double{});
}

/// fprop: y from x and w. dgrad: dx from dy and w. wgrad: dw from x and dy.
enum class Direction { Fprop, Dgrad, Wgrad };

constexpr const char* direction_name(Direction direction) {
  return direction == Direction::Fprop ? "fprop" : direction == Direction::Dgrad ? "dgrad" : "wgrad";
}

/// What a backward kernel does with its output buffer. The tape decides: the first writer overwrites, later
/// ones accumulate, so no buffer is ever cleared. Ignore means nobody wants the result: do not touch it.
enum class GradMode { Ignore, Overwrite, Accumulate };

}  // namespace kernels
