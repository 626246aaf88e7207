// The optimisers on CUDA: a block owns 4096 elements of the flat buffer, finds the first segment that reaches
// into them with one search, and walks on from there; a thread moves four floats (one 16-byte access an
// array). Every element is read and written once, so the grid depends on the buffer's size alone and a step
// is bound by memory: 12 bytes an element for SGD, 20 with momentum, 28 for Adam. Compiled without
// contraction (CMakeLists.txt): the bits of the CPU.
#include "kernels/base/cuda_launch.h"
#include "kernels/base/cuda_pack.cuh"
#include "kernels/optim/update.h"

namespace kernels {

namespace {

constexpr int kThreads = 256;
constexpr int64_t kBlockElements = 4096;

template <int kWidth, class S, class... State>
__device__ void update_pack(const S& step, const float* g, State*... state) {
  const auto run = [&](cuda::Pack<kWidth> gradient, auto... packs) {
#pragma unroll
    for (int k = 0; k < kWidth; ++k) update(step, gradient.at[k], packs.at[k]...);
    (cuda::store(state, packs), ...);
  };
  run(cuda::load<kWidth>(g), cuda::load<kWidth>(state)...);
}

/// State: the arrays that are read and written, each [elements].
template <class S, class... State>
__global__ void __launch_bounds__(kThreads, 4)
    update_segments(int64_t elements, const S* segments, int64_t count, const float* g, State*... state) {
  __shared__ int64_t first;
  const int64_t begin = blockIdx.x * kBlockElements;
  if (threadIdx.x == 0) first = first_segment(segments, count, begin);
  __syncthreads();
  const int64_t rest = elements - begin;
  const Segment range{begin, rest < kBlockElements ? rest : kBlockElements};
  for_segments(segments, count, first, range, [&](int64_t, const S& step, int64_t from, int64_t to) {
    for (int64_t i = from + cuda::kWide * threadIdx.x; i < to; i += cuda::kWide * kThreads) {
      if (i + cuda::kWide <= to) {
        update_pack<cuda::kWide>(step, g + i, (state + i)...);
      } else {
        for (int64_t k = i; k < to; ++k) update_pack<1>(step, g + k, (state + k)...);
      }
    }
  });
}

template <class S, class... State>
void launch_update(const Exec& exec, const char* kernel, SegmentTable<S> table, int64_t elements,
                   const float* g, State*... state) {
  if (elements == 0 || table.count == 0) return;
  const cuda::Site site{kernel, {{"elements", elements}, {"segments", table.count}}};
  cuda::require(cuda::aligned16(table.segments, g, state...), "16-byte aligned arrays", site);
  cuda::launch(exec, site, cuda::blocks_for(elements, kBlockElements), kThreads, 0,
               update_segments<S, State...>, elements, table.segments, table.count, g, state...);
}

void sgd(const Exec& exec, SegmentTable<SgdSegment<float>> table, const OptimArrays<float>& arrays) {
  if (arrays.m == nullptr) {
    launch_update(exec, "sgd", table, arrays.count, arrays.g, arrays.w);
  } else {
    launch_update(exec, "sgd_momentum", table, arrays.count, arrays.g, arrays.m, arrays.w);
  }
}

void adam(const Exec& exec, SegmentTable<AdamSegment<float>> table, const OptimArrays<float>& arrays) {
  launch_update(exec, "adam", table, arrays.count, arrays.g, arrays.m, arrays.v, arrays.w);
}

}  // namespace

const OptimKernels<float>* cuda_optim_kernels() {
  static constexpr OptimKernels<float> kKernels(sgd, adam);
  return &kKernels;
}

}  // namespace kernels
