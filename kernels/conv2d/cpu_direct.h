// The seam of cpu.direct: cpu_direct.cpp cuts a problem into jobs, cpu_direct_<isa>.cpp runs them with SIMD.
// Types only, and only <cstdint>: the SIMD files may not see an inline function of another header.
// A "span" is one vector of neighbouring output columns; a "tap" one element (r, s) of the kernel.
#pragma once

#include <cstdint>

namespace kernels {

/// Offsets, in floats, of a span's lane 0, and which of its lanes are stored. The last span of a row ends
/// with the row and stores only what the span before it did not; it reads no column that is not there.
struct DirectSpan {
  int64_t in, out;
  int32_t lane_begin, lane_end;
};

/// out[k][span] (+)= sum over c, tap of in[c][span + tap] w[c][tap][k] for one block of channels k and c.
struct CorrelateJob {
  const float* in;  // channel 0 of the block; spans and taps are relative to it
  int64_t in_plane;
  int64_t channels;
  const int64_t* taps;
  int64_t tap_count;
  const float* weights;      // [channels][tap_count][k_count]
  int64_t weights_skip = 0;  // floats between the weights of a channel and the next one's
  int64_t k_count;           // 1 ... DirectKernels::tall_block
  float* out;                // channel 0 of the block
  int64_t out_plane;
  const float* bias;  // [k_count] or null; read only where `add` is false
  bool add;           // add to what is in out
  bool relu;          // then make negative values 0
  const DirectSpan* spans;
  int64_t span_count;
};

/// Vectors of one row of dy, and the place in x under the kernel's first tap; x and dy are offsets in floats.
struct DirectSegment {
  int64_t x, dy;
  int64_t vectors;
  bool masked;  // one vector that ends with the row; lanes that the vector before it has are masked out
};

/// dw[k][tap] (+)= sum over segments of dy[k][segment] x[segment + tap].
struct WgradJob {
  const float* x;
  const float* dy;
  int64_t dy_plane;
  const DirectSegment* segments;
  int64_t segment_count;
  const float* mask;    // [lanes], 0 or 1
  const int64_t* taps;  // offsets of (c, r, s)
  int64_t tap_count;    // 1 ... kDirectMaxTaps
  int64_t k_count;      // 1 ... DirectKernels::wgrad_k_block
  float* dw;            // tap 0 of output channel 0
  int64_t dw_stride;    // from one output channel to the next
  bool add;
};

inline constexpr int64_t kDirectMaxTaps = 126;

struct DirectKernels {
  int64_t lanes;
  int64_t k_block;
  int64_t tile_spans;  // that correlate works on at a time, with k_block channels
  int64_t tall_block;  // most channels that correlate takes, for rows of few spans
  int64_t tall_spans;  // and those it then works on at a time
  int64_t wgrad_k_block;
  void (*correlate)(const CorrelateJob& job);
  void (*wgrad)(const WgradJob& job);
};

/// One per instruction set; a null pointer where this build has none.
const DirectKernels* direct_kernels_avx512();
const DirectKernels* direct_kernels_avx2();
const DirectKernels* direct_kernels_portable();

}  // namespace kernels
