// A few training steps of a small network on made numbers, whose losses are known: what tells a working
// device and build from a broken one in a fraction of a second.
#pragma once

#include <array>
#include <vector>

#include "engine/tensor/tensor.h"
#include "kernels/base/exec.h"

namespace cpm {

/// Two stages, three joints, two images of 48 x 48, weights and input filled by name as the golden numbers
/// are (data/golden); Adam.
struct SelfTest {
  double width = 0.0625;
  double lr = 1e-3;
  int steps = 3;
};

/// The total loss before each update.
std::vector<double> self_test_losses(const SelfTest& test, const kernels::Exec& exec, engine::DType dtype);

/// Those of SelfTest{} in float64. tests/cpm/self_test_test.cpp computes them again; the network and the
/// optimiser in float64 are compared with PyTorch (tests/cpm/golden_test.cpp).
inline constexpr std::array<double, 3> kSelfTestLosses = {98.252368974240284, 55.739526845379658,
                                                          47.20937971753726};
/// Largest relative difference of float32.
inline constexpr double kSelfTestBound = 1e-5;

}  // namespace cpm
