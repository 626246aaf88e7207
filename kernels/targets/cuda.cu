// Targets on CUDA: a thread a cell (or a pixel of the centre map), which walks over the joints and people and
// so writes each map in order, coalesced. Few cells lie within a Gaussian's reach, so the exponentials, in
// double, are few. The exponents have the bits of the CPU's (no contraction, see CMakeLists.txt), and so the
// cut-off is the same.
#include "kernels/base/cuda_launch.h"
#include "kernels/targets/targets.h"

namespace kernels {

namespace {

constexpr int kThreads = 128;

/// Zero beyond the cut-off. Most cells are turned down without a division; the margin leaves the decision on
/// the edge to the exponents themselves.
__device__ double gaussian(double dx, double dy, double sigma) {
  const double twice = 2 * sigma * sigma, dx2 = dx * dx, dy2 = dy * dy;
  if (dx2 + dy2 > 1.001 * kTargetCutOff * twice) return 0;
  const double across = dx2 / twice, down = dy2 / twice;
  return across + down > kTargetCutOff ? 0 : exp(-(across + down));
}

/// Joint j of the people [first, end) at input pixel (x, y): summed, and the first's own share.
struct Shares {
  double all = 0, own = 0;

  __device__ Shares(const TargetsProblem& problem, const TargetsPeople& people, int64_t first, int64_t end,
                    int64_t j, double x, double y) {
    for (int64_t person = first; person < end; ++person) {
      const TargetJoint joint = people.joints[person * problem.joints + j];
      if (joint.labelled == 0) continue;
      const double value = gaussian(x - joint.x, y - joint.y, kTargetSigma);
      all += value;
      if (person == first) own = value;
    }
    all = fmin(all, 1.0);
  }
};

/// Grid: blocks over the cells, samples.
__global__ void __launch_bounds__(kThreads)
    draw_maps(TargetsProblem problem, TargetsPeople people, TargetMaps maps) {
  const int64_t sample = blockIdx.y, k = problem.joints;
  const int64_t cols = problem.width / kTargetStride, cells = problem.height / kTargetStride * cols;
  const int64_t first = people.first[sample], end = people.first[sample + 1];
  if (maps.mask != nullptr && blockIdx.x == 0) {
    for (int64_t j = threadIdx.x; j <= k; j += kThreads) {
      const bool missing = j < k && (first == end || people.joints[first * k + j].labelled == 0);
      maps.mask[sample * (k + 1) + j] = problem.mask_missing && missing ? 0.0f : 1.0f;
    }
  }
  const int64_t cell = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (cell >= cells) return;
  const double start = 0.5 * (kTargetStride - 1);  // 3.5: the middle of a cell's pixels
  const double x = start + kTargetStride * static_cast<double>(cell % cols);
  const double y = start + kTargetStride * static_cast<double>(cell / cols);
  const auto put = [&](float* map, int64_t j, double value) {
    if (map != nullptr) map[(sample * (k + 1) + j) * cells + cell] = static_cast<float>(value);
  };
  double most_all = 0, most_own = 0;
  for (int64_t j = 0; j < k; ++j) {
    const Shares shares(problem, people, first, end, j, x, y);
    most_all = fmax(most_all, shares.all);
    most_own = fmax(most_own, shares.own);
    put(maps.stage1, j, shares.all);
    put(maps.rest, j, shares.own);
  }
  put(maps.stage1, k, fmax(0.0, 1 - most_all));
  put(maps.rest, k, fmax(0.0, 1 - most_own));
}

/// Grid: blocks over the pixels, samples.
__global__ void __launch_bounds__(kThreads)
    draw_center(TargetsProblem problem, const TargetPoint* centers, float* center) {
  const int64_t pixels = problem.height * problem.width;
  const int64_t pixel = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (pixel >= pixels) return;
  const TargetPoint at = centers[blockIdx.y];
  const auto x = static_cast<double>(pixel % problem.width), y = static_cast<double>(pixel / problem.width);
  center[blockIdx.y * pixels + pixel] = static_cast<float>(gaussian(x - at.x, y - at.y, kCenterSigma));
}

void draw(const Exec& exec, const TargetsProblem& problem, const TargetsPeople& people,
          const TargetMaps& maps) {
  const int64_t pixels = problem.height * problem.width, cells = pixels / (kTargetStride * kTargetStride);
  if (problem.n == 0 || pixels == 0) return;
  const auto grid = [&](int64_t items) {
    return dim3(cuda::blocks_for(items, kThreads), static_cast<uint32_t>(problem.n));
  };
  if (maps.stage1 != nullptr || maps.rest != nullptr || maps.mask != nullptr) {
    cuda::launch(exec, {"draw_maps", {{"n", problem.n}, {"joints", problem.joints}, {"cells", cells}}},
                 grid(cells), kThreads, 0, draw_maps, problem, people, maps);
  }
  if (maps.center != nullptr) {
    cuda::launch(exec, {"draw_center", {{"n", problem.n}, {"pixels", pixels}}}, grid(pixels), kThreads, 0,
                 draw_center, problem, people.centers, maps.center);
  }
}

}  // namespace

const TargetsKernels* cuda_targets_kernels() {
  static constexpr TargetsKernels kKernels(draw);
  return &kKernels;
}

}  // namespace kernels
