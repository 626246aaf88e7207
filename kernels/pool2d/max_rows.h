// The vector loops of max pooling behind a table, one table per instruction set.
#pragma once

#include <cstdint>

namespace kernels::cpu {

inline constexpr int64_t kStrip = 256;  // output columns; a multiple of every vector's elements

/// The best value of each column of a strip and its place in the window: s for a row, r * kernel + s for a
/// window.
template <class T>
struct Strip {
  T value[kStrip];
  T place[kStrip];
};

/// The image rows of a window: `height` of them, the first `first` rows below the window's top.
struct RowSpan {
  int64_t kernel, first, height;
};

template <class T>
struct MaxRows {
  /// `count` windows of 3 with stride 2 inside a row, from pixel `first` on. The last vector goes back over
  /// windows already done rather than past the row's end. Returns false where there are too few windows for a
  /// vector.
  bool (*maxima_3_2)(const T* first, int64_t count, T* value, T* place);
  /// One window of `count` pixels of a row; a vector's lane, as a branch per pixel would be mispredicted.
  void (*window)(const T* pixels, int64_t count, T first_place, T& value, T& place);
  /// Joins the row maxima of an output row. Whole vectors: columns behind `count` are computed too, of no
  /// use.
  void (*join)(const Strip<T>* const* rows, const RowSpan& span, int64_t count, Strip<T>& out);
};

/// Vectors of 16 bytes, which every x86-64 and ARM64 processor has; of 32 bytes, for AVX2.
template <class T>
const MaxRows<T>& max_rows_portable();
template <class T>
const MaxRows<T>& max_rows_avx2();

}  // namespace kernels::cpu
