// CUDA's fill, copy and add equal the CPU's bit for bit: aligned and odd counts and addresses, NaN payloads.
#include "kernels/copy/copy.h"

#include "tests/support/cuda_device.h"

namespace {

using kernels::Backend;
using kernels::GradMode;
using namespace tests;

/// Counted by tests/tools/cuda_counters_copy.py.
constexpr int64_t kCounted = 64 * 46 * 46;

}  // namespace

TEST_CASE("cuda copy: fill, copy and add as the CPU") {
  CudaDevice cuda;
  Cpu cpu;
  const auto& device = kernels::copy_kernels<float>(Backend::Cuda);
  const auto& host = kernels::copy_kernels<float>(Backend::Cpu);
  std::mt19937 random(1);
  for (const int64_t count : {0, 1, 3, 4, 5, 255, 1024, 1027, 5000}) {
    for (const int64_t offset : {0, 1}) {
      CAPTURE(count, offset);
      std::vector<float> x = reals<float>(random, count + offset);
      if (count > 3) x[3] = std::nanf("7");
      DeviceBuffer<float> x_on_device(cuda, x);
      for (const GradMode mode : {GradMode::Ignore, GradMode::Overwrite, GradMode::Accumulate}) {
        std::vector<float> y = reals<float>(random, count);
        DeviceBuffer<float> y_on_device(cuda, y);
        device.copy(cuda.exec, count, x_on_device.data() + offset, y_on_device.data(), mode);
        host.copy(cpu.exec, count, x.data() + offset, y.data(), mode);
        const GuardedBuffer<float> got = y_on_device.fetch();
        REQUIRE(got.guards_intact());
        REQUIRE(differing(got.values(), y) == 0);
        if (mode != GradMode::Accumulate)
          REQUIRE(same_bits(got.values(), y));  // a sum's NaN has bits of its own
      }
      DeviceBuffer<float> filled(cuda, x.size());
      device.fill(cuda.exec, count, 2.5F, filled.data() + offset);
      const GuardedBuffer<float> got = filled.fetch();
      GuardedBuffer<float> expected(x.size());
      std::fill_n(expected.data() + offset, count, 2.5F);
      REQUIRE(got.guards_intact());
      REQUIRE(same_bits(got.values(), expected.values()));
    }
  }
}

TEST_CASE("count copy: fill", "[.count]") {
  CudaDevice cuda;
  DeviceBuffer<float> y(cuda, kCounted);
  kernels::copy_kernels<float>(Backend::Cuda).fill(cuda.exec, kCounted, 1, y.data());
  REQUIRE(y.values() == std::vector<float>(kCounted, 1));
}

TEST_CASE("count copy: copy", "[.count]") {
  CudaDevice cuda;
  const std::vector<float> x(kCounted, 1);
  DeviceBuffer<float> x_on_device(cuda, x), y(cuda, x.size());
  kernels::copy_kernels<float>(Backend::Cuda)
      .copy(cuda.exec, kCounted, x_on_device.data(), y.data(), GradMode::Overwrite);
  REQUIRE(y.values() == x);
}

TEST_CASE("count copy: add", "[.count]") {
  CudaDevice cuda;
  const std::vector<float> x(kCounted, 1);
  DeviceBuffer<float> x_on_device(cuda, x), y(cuda, x);
  kernels::copy_kernels<float>(Backend::Cuda)
      .copy(cuda.exec, kCounted, x_on_device.data(), y.data(), GradMode::Accumulate);
  REQUIRE(y.values() == std::vector<float>(kCounted, 2));
}
