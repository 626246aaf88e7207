// CUDA's ReLU equals the CPU's bit for bit: aligned and odd counts and addresses, all gradient modes, in
// place.
#include "kernels/relu/relu.h"

#include "tests/support/cuda_device.h"

namespace {

using kernels::Backend;
using kernels::GradMode;
using namespace tests;

}  // namespace

TEST_CASE("cuda relu: as the CPU") {
  CudaDevice cuda;
  Cpu cpu;
  const auto& device = kernels::relu_kernels<float>(Backend::Cuda);
  const auto& host = kernels::relu_kernels<float>(Backend::Cpu);
  std::mt19937 random(1);
  for (const int64_t count : {0, 1, 3, 4, 5, 255, 256, 1023, 1024, 1027, 5000}) {
    for (const int64_t offset : {0, 1}) {
      CAPTURE(count, offset);
      const auto x = reals<float>(random, count + offset), dy = reals<float>(random, count + offset);
      DeviceBuffer<float> dx(cuda, x), ddy(cuda, dy), y(cuda, static_cast<size_t>(count));
      device.forward(cuda.exec, count, dx.data() + offset, y.data());
      std::vector<float> expected(static_cast<size_t>(count));
      host.forward(cpu.exec, count, x.data() + offset, expected.data());
      const GuardedBuffer<float> got = y.fetch();
      REQUIRE(got.guards_intact());
      REQUIRE(same_bits(got.values(), expected));
      for (const GradMode mode : {GradMode::Ignore, GradMode::Overwrite, GradMode::Accumulate}) {
        std::vector<float> gradient = reals<float>(random, count);
        DeviceBuffer<float> gradient_on_device(cuda, gradient);
        device.backward(cuda.exec, count, y.data(), ddy.data() + offset, gradient_on_device.data(), mode);
        host.backward(cpu.exec, count, expected.data(), dy.data() + offset, gradient.data(), mode);
        REQUIRE(same_bits(gradient_on_device.values(), gradient));
      }
    }
  }
}

// Counted by tests/tools/cuda_counters_relu.py.
TEST_CASE("count relu: forward", "[.count]") {
  CudaDevice cuda;
  const std::vector<float> x(64 * 46 * 46, 0.5F);
  DeviceBuffer<float> x_on_device(cuda, x), y(cuda, x.size());
  kernels::relu_kernels<float>(Backend::Cuda).forward(cuda.exec, std::ssize(x), x_on_device.data(), y.data());
  REQUIRE(same_bits(y.values(), x));
}

TEST_CASE("count relu: backward", "[.count]") {
  CudaDevice cuda;
  const std::vector<float> y(64 * 46 * 46, 0.5F);
  DeviceBuffer<float> y_on_device(cuda, y), dx(cuda, y.size());
  kernels::relu_kernels<float>(Backend::Cuda)
      .backward(cuda.exec, std::ssize(y), y_on_device.data(), y_on_device.data(), dx.data(),
                GradMode::Overwrite);
  REQUIRE(same_bits(dx.values(), y));
}
