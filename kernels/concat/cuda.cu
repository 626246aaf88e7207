// Concat and split on CUDA. For every image the slice is one contiguous block of channels * pixels floats in
// both arrays; blockIdx.x runs over packs of a block, blockIdx.y over images. Packs are four floats wide
// where every block starts at a multiple of 16 bytes, as with pixels a multiple of 4. Memory-bound: a launch
// moves each byte once.
#include <algorithm>

#include "kernels/base/cuda_launch.h"
#include "kernels/base/cuda_pack.cuh"
#include "kernels/concat/concat.h"

namespace kernels {

namespace {

constexpr int kThreads = 256;
constexpr int64_t kGridRows = 65535;  // of a launch

/// N blocks of `count` floats; the distances from one to the next.
struct Blocks {
  int64_t N, count, from_stride, to_stride;
};

/// from and to: the first block of either array.
template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    move_blocks(Blocks blocks, bool add, const float* from, float* to) {
  const int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kWidth;
  if (i >= blocks.count) return;
  for (int64_t n = blockIdx.y; n < blocks.N; n += gridDim.y) {
    cuda::put(to + n * blocks.to_stride + i, cuda::load<kWidth>(from + n * blocks.from_stride + i), add);
  }
}

void move(const Exec& exec, const cuda::Site& site, const Blocks& blocks, bool add, const float* from,
          float* to) {
  const bool wide = cuda::aligned16(from, to) && blocks.count % cuda::kWide == 0 &&
                    blocks.from_stride % cuda::kWide == 0 && blocks.to_stride % cuda::kWide == 0;
  const dim3 grid(cuda::blocks_for(blocks.count, kThreads * (wide ? cuda::kWide : 1)),
                  static_cast<uint32_t>(std::min(blocks.N, kGridRows)));
  cuda::launch(exec, site, grid, kThreads, 0, wide ? move_blocks<cuda::kWide> : move_blocks<1>, blocks, add,
               from, to);
}

void concat_forward(const Exec& exec, const ConcatSlice& slice, const float* operand, float* whole) {
  const int64_t block = slice.channels * slice.pixels, stride = slice.total * slice.pixels;
  move(exec, {"concat_forward", {{"N", slice.N}, {"channels", slice.channels}, {"pixels", slice.pixels}}},
       {slice.N, block, block, stride}, false, operand, whole + slice.first * slice.pixels);
}

void concat_backward(const Exec& exec, const ConcatSlice& slice, const float* d_whole, float* d_operand,
                     GradMode mode) {
  if (mode == GradMode::Ignore) return;
  const int64_t block = slice.channels * slice.pixels, stride = slice.total * slice.pixels;
  move(exec, {"concat_backward", {{"N", slice.N}, {"channels", slice.channels}, {"pixels", slice.pixels}}},
       {slice.N, block, stride, block}, mode == GradMode::Accumulate, d_whole + slice.first * slice.pixels,
       d_operand);
}

}  // namespace

const ConcatKernels<float>* cuda_concat_kernels() {
  static constexpr ConcatKernels<float> kKernels(concat_forward, concat_backward);
  return &kKernels;
}

}  // namespace kernels
