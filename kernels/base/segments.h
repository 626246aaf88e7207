// Named parts of a flat buffer (the parameters of a network), in ascending order, with gaps between them that
// belong to nobody. A worker owns a fixed range of the buffer and walks over the segments that reach into it:
// one launch serves them all, however small they are, and the work is cut by the buffer alone.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define CPM_HOST_DEVICE __host__ __device__
#else
#define CPM_HOST_DEVICE
#endif

namespace kernels {

/// Segments of the optimisers begin at multiples of this many elements, so that wide accesses are aligned.
inline constexpr int64_t kSegmentAlign = 16;

/// Elements [begin, begin + count) of a flat buffer.
struct Segment {
  int64_t begin = 0, count = 0;

  CPM_HOST_DEVICE int64_t end() const { return begin + count; }
};

/// Index of the first of `count` segments (or of what derives from Segment) that ends behind element `at`;
/// `count` where none does.
template <class S>
CPM_HOST_DEVICE int64_t first_segment(const S* segments, int64_t count, int64_t at) {
  int64_t low = 0, high = count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (segments[middle].end() > at) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/// Calls body(index, segment, begin, end) for each segment's share of the elements of `range`, in order, from
/// segment `first` = first_segment(segments, count, range.begin) on.
template <class S, class Body>
CPM_HOST_DEVICE void for_segments(const S* segments, int64_t count, int64_t first, Segment range, Body body) {
  for (int64_t i = first; i < count; ++i) {
    const S segment = segments[i];
    if (segment.begin >= range.end()) return;
    const int64_t from = segment.begin > range.begin ? segment.begin : range.begin;
    const int64_t to = segment.end() < range.end() ? segment.end() : range.end();
    if (from < to) body(i, segment, from, to);
  }
}

}  // namespace kernels
