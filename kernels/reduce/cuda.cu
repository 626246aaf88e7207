// Statistics on CUDA in two launches. First each block reads a chunk of 32768 elements once, 16 bytes an
// access, four of them in flight a thread, and leaves one SegmentStats (and histogram) for each segment that
// reaches into its chunk. Then one block a segment joins those parts. Sums in double over fixed trees;
// histograms by integer atomics in shared memory, whose order does not show. Parts cost 2 % of the traffic.
#include "kernels/base/cuda_launch.h"
#include "kernels/reduce/bins.h"

namespace kernels {

namespace {

using Format = FloatFormat<float>;

constexpr int kThreads = 256, kLanes = 32, kWarps = kThreads / kLanes;
constexpr int kInFlight = 4;
constexpr int64_t kChunk = 32768;
constexpr int kCounters = sizeof(LogHistogram) / sizeof(uint32_t);

/// SegmentStats of what one thread saw, in its registers.
struct Tally {
  double sum_squares = 0, sum_abs = 0;
  float max_abs = 0;
  uint32_t nan = 0, inf = 0, zero = 0, subnormal = 0;

  /// Histogram: in shared memory, or null.
  __device__ void add(float x, LogHistogram* histogram) {
    const uint32_t bits = __float_as_uint(x), magnitude = bits & Format::kMagnitude;
    if (magnitude >= Format::kInfinity) {
      ++(magnitude == Format::kInfinity ? inf : nan);
      return;
    }
    const float size = __uint_as_float(magnitude);
    sum_abs += size;
    sum_squares += static_cast<double>(size) * size;
    max_abs = fmaxf(max_abs, size);
    if (magnitude < Format::kSmallestNormal) {
      ++(magnitude == 0 ? zero : subnormal);
    } else if (histogram != nullptr) {
      atomicAdd(counter_of<float>(*histogram, bits), 1U);
    }
  }
};

__device__ void join(SegmentStats& total, const SegmentStats& part) {
  total.sum_squares += part.sum_squares;
  total.sum_abs += part.sum_abs;
  total.max_abs = fmax(total.max_abs, part.max_abs);
  total.nan += part.nan;
  total.inf += part.inf;
  total.zero += part.zero;
  total.subnormal += part.subnormal;
}

__device__ SegmentStats from_lane(const SegmentStats& stats, int distance) {
  const auto get = [distance](auto value) { return __shfl_down_sync(0xffffffffU, value, distance); };
  return {get(stats.sum_squares), get(stats.sum_abs), get(stats.max_abs),  get(stats.nan),
          get(stats.inf),         get(stats.zero),    get(stats.subnormal)};
}

/// For thread 0: all threads' statistics joined, in a tree over the lanes, then one over the warps.
__device__ SegmentStats join_block(SegmentStats stats) {
  __shared__ SegmentStats warps[kWarps];
  for (int step = kLanes / 2; step > 0; step /= 2) join(stats, from_lane(stats, step));
  __syncthreads();  // the last call's warps are read
  if (threadIdx.x % kLanes == 0) warps[threadIdx.x / kLanes] = stats;
  __syncthreads();
  if (threadIdx.x < kLanes) {
    stats = threadIdx.x < kWarps ? warps[threadIdx.x] : SegmentStats{};
    for (int step = kWarps / 2; step > 0; step /= 2) join(stats, from_lane(stats, step));
  }
  return stats;
}

/// Tally of x[from .. to), whatever its alignment: up to three elements at either end are read one by one.
__device__ Tally tally_range(const float* x, int64_t from, int64_t to, LogHistogram* histogram) {
  Tally tally;
  const auto ahead = static_cast<int64_t>((16 - reinterpret_cast<uintptr_t>(x + from) % 16) / 4 % 4);
  const int64_t start = from + ahead < to ? from + ahead : to, quads = (to - start) / 4;
  const auto* body = reinterpret_cast<const float4*>(x + start);
  for (int64_t i = threadIdx.x; i < quads; i += kInFlight * kThreads) {
    float4 q[kInFlight];
#pragma unroll
    for (int k = 0; k < kInFlight; ++k) {
      if (i + k * kThreads < quads) q[k] = body[i + k * kThreads];
    }
#pragma unroll
    for (int k = 0; k < kInFlight; ++k) {
      if (i + k * kThreads >= quads) break;
      tally.add(q[k].x, histogram);
      tally.add(q[k].y, histogram);
      tally.add(q[k].z, histogram);
      tally.add(q[k].w, histogram);
    }
  }
  const int64_t tail = start + 4 * quads, edge = threadIdx.x;
  if (edge < start - from) tally.add(x[from + edge], histogram);
  if (edge < to - tail) tally.add(x[tail + edge], histogram);
  return tally;
}

/// parts and part_histograms [chunks + count], at chunk + segment (see SegmentParts). segments null: one, the
/// whole array.
template <bool kHistogram>
__global__ void __launch_bounds__(kThreads)
    tally_chunks(SegmentedArray array, const float* x, SegmentStats* parts, LogHistogram* part_histograms) {
  __shared__ int64_t first;
  __shared__ Segment whole;
  __shared__ LogHistogram histogram;
  const int64_t begin = blockIdx.x * kChunk, rest = array.elements - begin;
  const bool single = array.segments == nullptr;
  if (threadIdx.x == 0) {
    whole = {0, array.elements};
    first = single ? 0 : first_segment(array.segments, array.count, begin);
  }
  __syncthreads();
  const auto body = [&](int64_t index, const Segment&, int64_t from, int64_t to) {
    auto* counters = reinterpret_cast<uint32_t*>(&histogram);
    if (kHistogram) {
      for (int i = threadIdx.x; i < kCounters; i += kThreads) counters[i] = 0;
      __syncthreads();
    }
    const Tally t = tally_range(x, from, to, kHistogram ? &histogram : nullptr);
    const SegmentStats all =
        join_block({t.sum_squares, t.sum_abs, t.max_abs, t.nan, t.inf, t.zero, t.subnormal});
    const int64_t place = blockIdx.x + index;
    if (threadIdx.x == 0) parts[place] = all;
    if (kHistogram) {  // join_block waited for everybody's counts
      auto* to_counters = reinterpret_cast<uint32_t*>(part_histograms + place);
      for (int i = threadIdx.x; i < kCounters; i += kThreads) to_counters[i] = counters[i];
      __syncthreads();
    }
  };
  for_segments(single ? &whole : array.segments, array.count, first, {begin, rest < kChunk ? rest : kChunk},
               body);
}

/// Where the parts of segment `index` lie: along the buffer either the chunk or the segment moves on, so
/// chunk + index is a place of its own for each pair that meets.
struct SegmentParts {
  int64_t first, end;

  __device__ SegmentParts(Segment segment, int64_t index)
      : first(segment.begin / kChunk + index),
        end(segment.count == 0 ? first : (segment.end() - 1) / kChunk + index + 1) {}

  __device__ SegmentStats join_all(const SegmentStats* parts) const {
    SegmentStats total;
    for (int64_t i = first + threadIdx.x; i < end; i += kThreads) join(total, parts[i]);
    return join_block(total);
  }
};

/// A block a segment; histograms may be null.
__global__ void __launch_bounds__(kThreads)
    join_segments(const Segment* segments, const SegmentStats* parts, const LogHistogram* part_histograms,
                  SegmentStats* stats, LogHistogram* histograms) {
  const SegmentParts own(segments[blockIdx.x], blockIdx.x);
  const SegmentStats total = own.join_all(parts);
  if (threadIdx.x == 0) stats[blockIdx.x] = total;
  if (histograms == nullptr) return;
  for (int counter = threadIdx.x; counter < kCounters; counter += kThreads) {
    uint32_t sum = 0;
    for (int64_t i = own.first; i < own.end; ++i) {
      sum += reinterpret_cast<const uint32_t*>(part_histograms + i)[counter];
    }
    reinterpret_cast<uint32_t*>(histograms + blockIdx.x)[counter] = sum;
  }
}

__global__ void __launch_bounds__(kThreads)
    join_array(int64_t count, const SegmentStats* parts, ArrayStats* stats) {
  const SegmentStats total = SegmentParts({0, count}, 0).join_all(parts);
  if (threadIdx.x == 0) *stats = {total.sum_squares, total.max_abs, total.nan + total.inf};
}

/// Adds to counts [array.count, bins.counters()]: a block counts each segment's share of its chunk in shared
/// memory, then adds that with integer atomics, whose order does not show.
__global__ void __launch_bounds__(kThreads)
    count_linear(SegmentedArray array, const float* x, LinearBins bins, uint32_t* counts) {
  __shared__ int64_t first;
  __shared__ uint32_t own[LinearBins::kMostBins + 2];
  const int64_t begin = blockIdx.x * kChunk, rest = array.elements - begin;
  const auto counters = static_cast<int>(bins.counters());
  if (threadIdx.x == 0) first = first_segment(array.segments, array.count, begin);
  __syncthreads();
  const auto body = [&](int64_t index, const Segment&, int64_t from, int64_t to) {
    for (int i = threadIdx.x; i < counters; i += kThreads) own[i] = 0;
    __syncthreads();
    for (int64_t i = from + threadIdx.x; i < to; i += kThreads) {
      const int counter = bins.counter_of(x[i]);
      if (counter >= 0) atomicAdd(own + counter, 1U);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < counters; i += kThreads) {
      if (own[i] > 0) atomicAdd(counts + index * counters + i, own[i]);
    }
    __syncthreads();
  };
  for_segments(array.segments, array.count, first, {begin, rest < kChunk ? rest : kChunk}, body);
}

int64_t places(int64_t elements, int64_t segments) {
  return (elements + kChunk - 1) / kChunk + segments;
}

size_t workspace(int64_t elements, int64_t segments, bool histograms) {
  const size_t part = sizeof(SegmentStats) + (histograms ? sizeof(LogHistogram) : 0);
  return static_cast<size_t>(places(elements, segments)) * part;
}

/// The first launch: leaves the parts in the workspace and says where.
struct Parts {
  SegmentStats* stats;
  LogHistogram* histograms;

  Parts(const Exec& exec, const SegmentedArray& array, const float* x, bool with_histograms)
      : stats(static_cast<SegmentStats*>(exec.workspace.data)),
        histograms(reinterpret_cast<LogHistogram*>(stats + places(array.elements, array.count))) {
    const cuda::Site site{"tally_chunks", {{"elements", array.elements}, {"segments", array.count}}};
    cuda::require(exec.workspace.bytes >= workspace(array.elements, array.count, with_histograms),
                  "a workspace as large as asked for", site);
    if (array.elements == 0) return;
    cuda::launch(exec, site, cuda::blocks_for(array.elements, kChunk), kThreads, 0,
                 with_histograms ? tally_chunks<true> : tally_chunks<false>, array, x, stats, histograms);
  }
};

void segments(const Exec& exec, const SegmentedArray& array, const float* x, SegmentStats* stats,
              LogHistogram* histograms) {
  if (array.count == 0) return;
  const Parts parts(exec, array, x, histograms != nullptr);
  cuda::launch(exec, {"join_segments", {{"segments", array.count}}}, static_cast<uint32_t>(array.count),
               kThreads, 0, join_segments, array.segments, parts.stats, parts.histograms, stats, histograms);
}

void linear(const Exec& exec, const SegmentedArray& array, const float* x, const LinearBins& bins,
            uint32_t* counts) {
  if (array.count == 0 || array.elements == 0) return;
  const cuda::Site site{"count_linear", {{"elements", array.elements}, {"segments", array.count}}};
  cuda::require(bins.bins >= 2 && bins.bins <= LinearBins::kMostBins, "2 to 1022 bins", site);
  cuda::launch(exec, site, cuda::blocks_for(array.elements, kChunk), kThreads, 0, count_linear, array, x,
               bins, counts);
}

void stats(const Exec& exec, int64_t count, const float* x, ArrayStats* stats) {
  const Parts parts(exec, {count, nullptr, 1}, x, false);
  cuda::launch(exec, {"join_array", {{"elements", count}}}, 1, kThreads, 0, join_array, count, parts.stats,
               stats);
}

}  // namespace

const ReduceKernels<float>* cuda_reduce_kernels() {
  static constexpr ReduceKernels<float> kKernels(stats, segments, linear, workspace);
  return &kKernels;
}

}  // namespace kernels
