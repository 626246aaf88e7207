// Belief-map targets and centre maps drawn from joint coordinates, as the CPM release draws them
// (CPMDataLayer, data_transformer.cpp): a joint's map is exp(-d^2 / (2 sigma^2)), zero where the exponent
// exceeds 4.6052, evaluated at input pixel 8 i + 3.5 for cell i; people are summed in order and clipped at 1;
// background = max(0, 1 - maximum over joints). A joint without a label adds nothing. The centre map is a
// single Gaussian of sigma 21 at full resolution, cut off alike. Worked out in double, stored as float;
// backends agree to the last bit or two.
#pragma once

#include <cstdint>

#include "kernels/base/exec.h"
#include "kernels/base/types.h"

namespace kernels {

inline constexpr double kTargetSigma = 7;        // input pixels
inline constexpr double kCenterSigma = 21;       // input pixels
inline constexpr double kTargetCutOff = 4.6052;  // exp(-4.6052) = 0.01
inline constexpr int kTargetStride = 8;          // input pixels per heat-map cell

/// Input pixels, integers at pixel centres.
struct TargetPoint {
  double x = 0, y = 0;
};
struct TargetJoint {
  double x = 0, y = 0;
  int64_t labelled = 0;
};

struct TargetsProblem {
  int64_t n = 0, joints = 0, height = 0, width = 0;  // of the input; multiples of 8
  bool mask_missing = false;                         // see TargetMaps::mask
};

/// In memory of the backend.
struct TargetsPeople {
  const TargetJoint* joints = nullptr;   // [people, joints], sample after sample, the centre person first
  const int64_t* first = nullptr;        // [n + 1]: sample i shows people first[i] ... first[i + 1] - 1
  const TargetPoint* centers = nullptr;  // [n]
};

/// In memory of the backend, overwritten; what is null is not drawn.
struct TargetMaps {
  float* stage1 = nullptr;  // [n, joints + 1, height / 8, width / 8]: all people
  float* rest = nullptr;    // like stage1: the centre person alone
  float* mask = nullptr;    // [n, joints + 1]: 0 for a joint of the centre person without a label where
                            // mask_missing says so, else 1
  float* center = nullptr;  // [n, 1, height, width]
};

struct TargetsKernels {
  using Draw = void (*)(const Exec&, const TargetsProblem&, const TargetsPeople&, const TargetMaps&);

  Draw draw;

  constexpr explicit TargetsKernels(Draw d) : draw(d) {}
};

/// The kernels of a backend; DeviceUnavailable where this build has none.
const TargetsKernels& targets_kernels(Backend backend);

/// cuda.cu, or nullptr from no_cuda.cpp.
const TargetsKernels* cuda_targets_kernels();

}  // namespace kernels
