// Squared error on CUDA. Forward: a block per map sums in double and leaves one double per map in the
// workspace; a second launch of one block adds those. Both orders are fixed. Backward: a block per map. A map
// whose mask is 0 is not read. Memory-bound: y and target are read once, dy is written once.
#include "kernels/base/cuda_launch.h"
#include "kernels/base/cuda_pack.cuh"
#include "kernels/base/cuda_reduce.cuh"
#include "kernels/mse/mse.h"

namespace kernels {

namespace {

using Operands = MseOperands<float>;

constexpr int kThreads = 256;

__device__ double map_weight(const Operands& operands, int64_t map) {
  return operands.mask == nullptr ? 1.0 : static_cast<double>(operands.mask[map]);
}

/// sums [maps].
template <int kWidth>
__global__ void __launch_bounds__(kThreads) sum_maps(Operands operands, double* sums) {
  const int64_t map = blockIdx.x;
  const double weight = map_weight(operands, map);
  double sum = 0;
  if (weight != 0) {
    const float* y = operands.y + map * operands.pixels;
    const float* target = operands.target + map * operands.pixels;
    for (int64_t i = threadIdx.x * kWidth; i < operands.pixels; i += kThreads * kWidth) {
      const auto a = cuda::load<kWidth>(y + i), b = cuda::load<kWidth>(target + i);
      for (int j = 0; j < kWidth; ++j) {
        const double difference = static_cast<double>(a.at[j]) - static_cast<double>(b.at[j]);
        sum += difference * difference;
      }
    }
  }
  sum = cuda::block_sum<kThreads>(sum);
  if (threadIdx.x == 0) sums[map] = weight * sum;
}

__global__ void __launch_bounds__(kThreads)
    add_sums(int64_t maps, double scale, const double* sums, double* loss) {
  double sum = 0;
  for (int64_t map = threadIdx.x; map < maps; map += kThreads) sum += sums[map];
  sum = cuda::block_sum<kThreads>(sum);
  if (threadIdx.x == 0) *loss = scale * sum;
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    mse_gradient(Operands operands, double scale, float* dy, bool add) {
  const int64_t map = blockIdx.x, begin = map * operands.pixels;
  const double weight = map_weight(operands, map);
  const float factor = static_cast<float>(2 * scale * weight);
  for (int64_t i = threadIdx.x * kWidth; i < operands.pixels; i += kThreads * kWidth) {
    cuda::Pack<kWidth> gradient = {};
    if (weight != 0) {
      const auto y = cuda::load<kWidth>(operands.y + begin + i);
      const auto target = cuda::load<kWidth>(operands.target + begin + i);
      for (int j = 0; j < kWidth; ++j) gradient.at[j] = factor * (y.at[j] - target.at[j]);
    }
    cuda::put(dy + begin + i, gradient, add);
  }
}

size_t workspace(int64_t maps) {
  return static_cast<size_t>(maps) * sizeof(double);
}

bool wide(const Operands& operands) {
  return operands.pixels % cuda::kWide == 0 && cuda::aligned16(operands.y, operands.target);
}

void mse_forward(const Exec& exec, const Operands& operands, double scale, double* loss) {
  const int64_t maps = operands.maps;
  auto* sums = static_cast<double*>(exec.workspace.data);
  const cuda::Site site{"mse_sum_maps", {{"maps", maps}, {"pixels", operands.pixels}}};
  cuda::require(exec.workspace.bytes >= workspace(maps), "a workspace of workspace(maps) bytes", site);
  cuda::launch(exec, site, static_cast<uint32_t>(maps), kThreads, 0,
               wide(operands) ? sum_maps<cuda::kWide> : sum_maps<1>, operands, sums);
  cuda::launch(exec, {"mse_add_sums", {{"maps", maps}}}, 1, kThreads, 0, add_sums, maps, scale, sums, loss);
}

void mse_backward(const Exec& exec, const Operands& operands, double scale, float* dy, GradMode mode) {
  if (mode == GradMode::Ignore) return;
  cuda::launch(exec, {"mse_backward", {{"maps", operands.maps}, {"pixels", operands.pixels}}},
               static_cast<uint32_t>(operands.maps), kThreads, 0,
               wide(operands) && cuda::aligned16(dy) ? mse_gradient<cuda::kWide> : mse_gradient<1>, operands,
               scale, dy, mode == GradMode::Accumulate);
}

}  // namespace

const MseKernels<float>* cuda_mse_kernels() {
  static constexpr MseKernels<float> kKernels(workspace, mse_forward, mse_backward);
  return &kKernels;
}

}  // namespace kernels
