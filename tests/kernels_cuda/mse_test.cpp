// CUDA's squared error against the CPU's: the loss, a sum in double, to rounding, its gradient bit for bit;
// with and without a mask, behind which values may be NaN.
#include "kernels/mse/mse.h"

#include <limits>

#include "kernels/base/error.h"
#include "tests/support/cuda_device.h"

namespace {

using kernels::Backend;
using kernels::GradMode;
using kernels::MseOperands;
using namespace tests;

constexpr double kScale = 1.0 / 6;

/// An Exec with the workspace that `maps` need.
struct Scratch {
  DeviceBuffer<unsigned char> memory;
  kernels::Exec exec;

  Scratch(CudaDevice& cuda, int64_t maps)
      : memory(cuda, kernels::mse_kernels<float>(Backend::Cuda).workspace(maps)), exec(cuda.exec) {
    exec.workspace = {memory.data(), memory.fetch().size()};
  }
};

void as_the_cpu(int64_t maps, int64_t pixels, bool masked, int64_t offset) {
  CAPTURE(maps, pixels, masked, offset);
  CudaDevice cuda;
  Cpu cpu;
  const auto& device = kernels::mse_kernels<float>(Backend::Cuda);
  const auto& host = kernels::mse_kernels<float>(Backend::Cpu);
  std::mt19937 random(31);
  const int64_t count = maps * pixels + offset;
  std::vector<float> y = reals<float>(random, count);
  const auto target = reals<float>(random, count), mask = integers<float>(random, maps, 0, 1);
  if (masked) {
    for (int64_t i = 0; i < maps * pixels; i += 3) {
      if (mask[static_cast<size_t>(i / pixels)] == 0) y[static_cast<size_t>(i + offset)] = NAN;
    }
  }
  DeviceBuffer<float> y_on_device(cuda, y), target_on_device(cuda, target), mask_on_device(cuda, mask);
  const MseOperands<float> on_host{maps, pixels, y.data() + offset, target.data() + offset,
                                   masked ? mask.data() : nullptr};
  const MseOperands<float> on_device{maps, pixels, y_on_device.data() + offset,
                                     target_on_device.data() + offset,
                                     masked ? mask_on_device.data() : nullptr};
  double loss = 0;
  host.forward(cpu.exec, on_host, kScale, &loss);
  Scratch scratch(cuda, maps);
  DeviceBuffer<double> loss_on_device(cuda, 1);
  device.forward(scratch.exec, on_device, kScale, loss_on_device.data());
  REQUIRE((loss_on_device.fetch().guards_intact() && scratch.memory.fetch().guards_intact()));
  REQUIRE(std::fabs(loss_on_device.values()[0] - loss) <= 1e-13 * loss);
  for (const GradMode mode : {GradMode::Ignore, GradMode::Overwrite, GradMode::Accumulate}) {
    std::vector<float> dy = target;
    DeviceBuffer<float> dy_on_device(cuda, dy);
    device.backward(cuda.exec, on_device, kScale, dy_on_device.data() + offset, mode);
    host.backward(cpu.exec, on_host, kScale, dy.data() + offset, mode);
    const GuardedBuffer<float> got = dy_on_device.fetch();
    REQUIRE(got.guards_intact());
    REQUIRE(same_bits(got.values(), dy));
  }
}

/// Counted by tests/tools/cuda_counters_mse.py: 15 maps of two images.
constexpr int64_t kMaps = 30, kPixels = 46 * 46;

}  // namespace

TEST_CASE("cuda mse: as the CPU, with and without a mask") {
  for (const bool masked : {false, true}) {
    as_the_cpu(1, 1, masked, 0);
    as_the_cpu(300, 3, masked, 0);  // more maps than a block has threads
    as_the_cpu(5, 36, masked, 0);
    as_the_cpu(4, 1028, masked, 0);
    as_the_cpu(4, 1028, masked, 1);
    as_the_cpu(3, 1027, masked, 0);
  }
}

TEST_CASE("cuda mse: whole numbers are exact") {
  CudaDevice cuda;
  DeviceBuffer<float> y(cuda, std::vector<float>(3 * 8, 3)), target(cuda, std::vector<float>(3 * 8, 1));
  DeviceBuffer<double> loss(cuda, 1);
  Scratch scratch(cuda, 3);
  kernels::mse_kernels<float>(Backend::Cuda)
      .forward(scratch.exec, {3, 8, y.data(), target.data(), nullptr}, 0.25, loss.data());
  REQUIRE(loss.values()[0] == 24);
}

TEST_CASE("cuda mse: a workspace that is too small is an error") {
  CudaDevice cuda;
  DeviceBuffer<float> y(cuda, std::vector<float>(24, 3));
  DeviceBuffer<double> loss(cuda, 1);
  Scratch scratch(cuda, 2);
  REQUIRE_THROWS_AS(kernels::mse_kernels<float>(Backend::Cuda)
                        .forward(scratch.exec, {3, 8, y.data(), y.data(), nullptr}, 1, loss.data()),
                    kernels::Error);
}

TEST_CASE("count mse: forward", "[.count]") {
  CudaDevice cuda;
  DeviceBuffer<float> y(cuda, std::vector<float>(kMaps * kPixels, 2)),
      target(cuda, std::vector<float>(kMaps * kPixels, 1));
  DeviceBuffer<double> loss(cuda, 1);
  Scratch scratch(cuda, kMaps);
  kernels::mse_kernels<float>(Backend::Cuda)
      .forward(scratch.exec, {kMaps, kPixels, y.data(), target.data(), nullptr}, 1, loss.data());
  REQUIRE(loss.values()[0] == kMaps * kPixels);
}

TEST_CASE("count mse: backward", "[.count]") {
  CudaDevice cuda;
  DeviceBuffer<float> y(cuda, std::vector<float>(kMaps * kPixels, 2)),
      target(cuda, std::vector<float>(kMaps * kPixels, 1));
  DeviceBuffer<float> dy(cuda, kMaps * kPixels);
  kernels::mse_kernels<float>(Backend::Cuda)
      .backward(cuda.exec, {kMaps, kPixels, y.data(), target.data(), nullptr}, 1, dy.data(),
                GradMode::Overwrite);
  REQUIRE(dy.values() == std::vector<float>(kMaps * kPixels, 2));
}
