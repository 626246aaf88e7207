// The optimisers on CUDA: a block owns 4096 elements of the flat buffer, finds the first segment that reaches
// into them with one search, and walks on from there; a thread moves four floats (one 16-byte access an
// array). Every element is read and written once, so the grid depends on the buffer's size alone and a step
// is bound by memory: 12 bytes an element for SGD, 20 with momentum, 28 for Adam. Compiled without
// contraction (CMakeLists.txt): the bits of the CPU.
#include "kernels/base/cuda_launch.h"
#include "kernels/base/cuda_pack.cuh"
#include "kernels/base/cuda_reduce.cuh"
#include "kernels/optim/update.h"

namespace kernels {

namespace {

constexpr int kThreads = 256;
constexpr int64_t kBlockElements = 4096;

__device__ void add(UpdateSums& sums, float before, float after) {
  const double change = static_cast<double>(after) - static_cast<double>(before);
  sums.change += change * change;
  sums.weight += static_cast<double>(before) * static_cast<double>(before);
}

template <class T>
__device__ T last(T value) {
  return value;
}
template <class T, class... Rest>
__device__ auto last(T, Rest... rest) {
  return last(rest...);
}

/// w is the last of the state.
template <bool kMeasure, int kWidth, class S, class... State>
__device__ void update_pack(const S& step, UpdateSums& sums, const float* g, State*... state) {
  const auto run = [&](cuda::Pack<kWidth> gradient, auto... packs) {
    const cuda::Pack<kWidth> before = last(packs...);
#pragma unroll
    for (int k = 0; k < kWidth; ++k) update(step, gradient.at[k], packs.at[k]...);
    (cuda::store(state, packs), ...);
    if constexpr (kMeasure) {
      const cuda::Pack<kWidth> after = last(packs...);
#pragma unroll
      for (int k = 0; k < kWidth; ++k) add(sums, before.at[k], after.at[k]);
    }
  };
  run(cuda::load<kWidth>(g), cuda::load<kWidth>(state)...);
}

/// State: the arrays that are read and written, each [elements]. kMeasure: parts [blocks + count], at block +
/// segment: along the buffer either moves on, so that is a place of its own for each pair that meets.
template <bool kMeasure, class S, class... State>
__global__ void __launch_bounds__(kThreads, kMeasure ? 3 : 4)
    update_segments(int64_t elements, const S* segments, int64_t count, UpdateSums* parts, const float* g,
                    State*... state) {
  __shared__ int64_t first;
  const int64_t begin = blockIdx.x * kBlockElements;
  if (threadIdx.x == 0) first = first_segment(segments, count, begin);
  __syncthreads();
  const int64_t rest = elements - begin;
  const Segment range{begin, rest < kBlockElements ? rest : kBlockElements};
  for_segments(segments, count, first, range, [&](int64_t index, const S& step, int64_t from, int64_t to) {
    UpdateSums sums;
    for (int64_t i = from + cuda::kWide * threadIdx.x; i < to; i += cuda::kWide * kThreads) {
      if (i + cuda::kWide <= to) {
        update_pack<kMeasure, cuda::kWide>(step, sums, g + i, (state + i)...);
      } else {
        for (int64_t k = i; k < to; ++k) update_pack<kMeasure, 1>(step, sums, g + k, (state + k)...);
      }
    }
    if constexpr (kMeasure) {
      sums.change = cuda::block_sum<kThreads>(sums.change);
      __syncthreads();
      sums.weight = cuda::block_sum<kThreads>(sums.weight);
      __syncthreads();
      if (threadIdx.x == 0) parts[blockIdx.x + index] = sums;
    }
  });
}

/// A block a segment: adds the parts of update_segments.
template <class S>
__global__ void __launch_bounds__(kThreads)
    join_sums(const S* segments, const UpdateSums* parts, UpdateSums* sums) {
  const S& segment = segments[blockIdx.x];
  const int64_t first = segment.begin / kBlockElements + blockIdx.x;
  const int64_t end = segment.count == 0 ? first : (segment.end() - 1) / kBlockElements + blockIdx.x + 1;
  UpdateSums total;
  for (int64_t i = first + threadIdx.x; i < end; i += kThreads) {
    total.change += parts[i].change;
    total.weight += parts[i].weight;
  }
  total.change = cuda::block_sum<kThreads>(total.change);
  __syncthreads();
  total.weight = cuda::block_sum<kThreads>(total.weight);
  if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

size_t workspace(int64_t elements, int64_t segments) {
  return static_cast<size_t>((elements + kBlockElements - 1) / kBlockElements + segments) *
         sizeof(UpdateSums);
}

template <class S, class... State>
void launch_update(const Exec& exec, const char* kernel, SegmentTable<S> table,
                   const OptimArrays<float>& arrays, State*... state) {
  if (arrays.count == 0 || table.count == 0) return;
  const cuda::Site site{kernel, {{"elements", arrays.count}, {"segments", table.count}}};
  cuda::require(cuda::aligned16(table.segments, arrays.g, state...), "16-byte aligned arrays", site);
  const bool measure = arrays.sums != nullptr;
  cuda::require(!measure || exec.workspace.bytes >= workspace(arrays.count, table.count),
                "a workspace as large as asked for", site);
  auto* parts = static_cast<UpdateSums*>(exec.workspace.data);
  cuda::launch(exec, site, cuda::blocks_for(arrays.count, kBlockElements), kThreads, 0,
               measure ? update_segments<true, S, State...> : update_segments<false, S, State...>,
               arrays.count, table.segments, table.count, parts, arrays.g, state...);
  if (!measure) return;
  cuda::launch(exec, {"join_sums", {{"segments", table.count}}}, static_cast<uint32_t>(table.count), kThreads,
               0, join_sums<S>, table.segments, parts, arrays.sums);
}

void sgd(const Exec& exec, SegmentTable<SgdSegment<float>> table, const OptimArrays<float>& arrays) {
  if (arrays.m == nullptr) {
    launch_update(exec, "sgd", table, arrays, arrays.w);
  } else {
    launch_update(exec, "sgd_momentum", table, arrays, arrays.m, arrays.w);
  }
}

void adam(const Exec& exec, SegmentTable<AdamSegment<float>> table, const OptimArrays<float>& arrays) {
  launch_update(exec, "adam", table, arrays, arrays.m, arrays.v, arrays.w);
}

}  // namespace

const OptimKernels<float>* cuda_optim_kernels() {
  static constexpr OptimKernels<float> kKernels(sgd, adam, workspace);
  return &kKernels;
}

}  // namespace kernels
