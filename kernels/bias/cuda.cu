// The bias gradient on CUDA: a block per output channel k. Its threads run over the packs of all images of
// that channel in strides of the block, each with a sum in double; the block adds them in a fixed tree.
// Memory-bound: dy is read once (fused with ReLU: y and dy read, dz written once). 1024 threads, so that one
// block alone keeps enough loads under way for a multiprocessor: the network has 32 to 512 channels.
#include "kernels/base/cuda_launch.h"
#include "kernels/base/cuda_pack.cuh"
#include "kernels/base/cuda_reduce.cuh"
#include "kernels/bias/bias.h"

namespace kernels {

namespace {

constexpr int kThreads = 1024;

/// The terms of the sum are dy's elements.
template <int kPack>
struct Plain {
  static constexpr int kWidth = kPack;
  const float* dy;
  __device__ cuda::Pack<kWidth> operator()(int64_t at) const { return cuda::load<kWidth>(dy + at); }
};

/// The terms are dz = y > 0 ? dy : 0, which replace dy.
template <int kPack>
struct Relu {
  static constexpr int kWidth = kPack;
  const float* y;
  float* dy;
  __device__ cuda::Pack<kWidth> operator()(int64_t at) const {
    const cuda::Pack<kWidth> output = cuda::load<kWidth>(y + at);
    cuda::Pack<kWidth> dz = cuda::load<kWidth>(dy + at);
    for (int j = 0; j < kWidth; ++j) dz.at[j] = output.at[j] > 0.0f ? dz.at[j] : 0.0f;
    cuda::store(dy + at, dz);
    return dz;
  }
};

/// Thread t takes the packs t, t + kThreads, ... of the channel; (n, i) is pack i of image n.
template <class Terms>
__global__ void __launch_bounds__(kThreads)
    sum_channels(BiasProblem problem, Terms terms, float* db, GradMode mode) {
  constexpr int kWidth = Terms::kWidth;
  const int64_t k = blockIdx.x, packs = problem.pixels / kWidth, total = problem.N * packs;
  const int64_t images = kThreads / packs, rest = kThreads % packs;  // of a stride of kThreads
  int64_t n = threadIdx.x / packs, i = threadIdx.x % packs;
  double sum = 0;
#pragma unroll 4
  for (int64_t pack = threadIdx.x; pack < total; pack += kThreads) {
    const cuda::Pack<kWidth> values = terms((n * problem.K + k) * problem.pixels + i * kWidth);
    for (int j = 0; j < kWidth; ++j) sum += static_cast<double>(values.at[j]);
    n += images;
    i += rest;
    if (i >= packs) {
      i -= packs;
      ++n;
    }
  }
  sum = cuda::block_sum<kThreads>(sum);
  if (threadIdx.x == 0 && mode != GradMode::Ignore) {
    cuda::put(db + k, cuda::Pack<1>{static_cast<float>(sum)}, mode == GradMode::Accumulate);
  }
}

/// Terms<width>{arrays...}, as wide as the arrays allow.
template <template <int> class Terms, class... Arrays>
void run(const Exec& exec, const char* name, const BiasProblem& problem, float* db, GradMode mode,
         Arrays... arrays) {
  const auto launch = [&](auto terms) {
    cuda::launch(exec, {name, {{"N", problem.N}, {"K", problem.K}, {"pixels", problem.pixels}}},
                 static_cast<uint32_t>(problem.K), kThreads, 0, sum_channels<decltype(terms)>, problem, terms,
                 db, mode);
  };
  if (problem.pixels % cuda::kWide == 0 && cuda::aligned16(arrays...)) {
    launch(Terms<cuda::kWide>{arrays...});
  } else {
    launch(Terms<1>{arrays...});
  }
}

void bias_backward(const Exec& exec, const BiasProblem& problem, const float* dy, float* db, GradMode mode) {
  if (mode != GradMode::Ignore) run<Plain>(exec, "bias_backward", problem, db, mode, dy);
}

void bias_relu_backward(const Exec& exec, const BiasProblem& problem, const float* y, float* dy, float* db,
                        GradMode mode) {
  run<Relu>(exec, "bias_relu_backward", problem, db, mode, y, dy);
}

}  // namespace

const BiasKernels<float>* cuda_bias_kernels() {
  static constexpr BiasKernels<float> kKernels(bias_backward, bias_relu_backward);
  return &kKernels;
}

}  // namespace kernels
