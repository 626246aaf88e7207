// The second pass of a convolution whose sums were split over blocks: parts are added in their order, so the
// result does not depend on which block ran first.
#include "kernels/base/cuda_launch.h"
#include "kernels/conv2d/cuda_direct.h"

namespace kernels::cuda {

namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) conv_sum_parts(PartSum t, uint32_t blocks_per_plane) {
  const uint32_t plane = blockIdx.x / blocks_per_plane;
  const int64_t in_plane = int64_t{blockIdx.x % blocks_per_plane} * kThreads + threadIdx.x;
  if (in_plane >= t.size) return;
  const int64_t i = plane * t.size + in_plane;
  const int64_t stride = t.planes * t.size;
  float sum = t.parts[i];
  for (int part = 1; part < t.count; ++part) sum += t.parts[part * stride + i];
  if (t.bias != nullptr) sum += t.bias[plane % t.K];
  if (t.add) sum += t.out[i];
  t.out[i] = t.relu && sum < 0.0f ? 0.0f : sum;
}

}  // namespace

void sum_parts(const Exec& exec, const PartSum& sum) {
  const uint32_t blocks = blocks_for(sum.size, kThreads);
  launch(exec, {"conv_sum_parts", {{"parts", sum.count}, {"planes", sum.planes}, {"size", sum.size}}},
         static_cast<uint32_t>(sum.planes) * blocks, kThreads, 0, conv_sum_parts, sum, blocks);
}

}  // namespace kernels::cuda
