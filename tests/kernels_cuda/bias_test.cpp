// CUDA's bias gradient against the CPU's: both sum in double, in orders of their own, so whole numbers are
// exact and real ones agree to the last bit or two of a float. The fused ReLU has the CPU's bits.
#include "kernels/bias/bias.h"

#include "tests/support/cuda_device.h"

namespace {

using kernels::Backend;
using kernels::BiasProblem;
using kernels::GradMode;
using namespace tests;

int64_t size_of(const BiasProblem& problem) {
  return problem.N * problem.K * problem.pixels;
}

void require_close(const std::vector<float>& got, const std::vector<float>& expected) {
  for (size_t k = 0; k < expected.size(); ++k) {
    CAPTURE(k, got[k], expected[k]);
    REQUIRE(std::fabs(got[k] - expected[k]) <= 1e-6F * std::fabs(expected[k]));
  }
}

void as_the_cpu(const BiasProblem& problem, int64_t offset) {
  CAPTURE(problem.N, problem.K, problem.pixels, offset);
  CudaDevice cuda;
  Cpu cpu;
  const auto& device = kernels::bias_kernels<float>(Backend::Cuda);
  const auto& host = kernels::bias_kernels<float>(Backend::Cpu);
  std::mt19937 random(41);
  const int64_t count = size_of(problem) + offset;
  for (const GradMode mode : {GradMode::Ignore, GradMode::Overwrite, GradMode::Accumulate}) {
    const auto whole = integers<float>(random, count, -9, 9), y = activation<float>(random, count);
    auto dy = reals<float>(random, count);
    DeviceBuffer<float> whole_on_device(cuda, whole), y_on_device(cuda, y), dy_on_device(cuda, dy);
    std::vector<float> db = integers<float>(random, problem.K, -9, 9), relu_db = db;
    DeviceBuffer<float> db_on_device(cuda, db), relu_db_on_device(cuda, relu_db);
    device.backward(cuda.exec, problem, whole_on_device.data() + offset, db_on_device.data(), mode);
    host.backward(cpu.exec, problem, whole.data() + offset, db.data(), mode);
    REQUIRE(same_bits(db_on_device.values(), db));
    device.relu_backward(cuda.exec, problem, y_on_device.data() + offset, dy_on_device.data() + offset,
                         relu_db_on_device.data(), mode);
    host.relu_backward(cpu.exec, problem, y.data() + offset, dy.data() + offset, relu_db.data(), mode);
    REQUIRE(same_bits(dy_on_device.values(), dy));
    require_close(relu_db_on_device.values(), relu_db);
    REQUIRE((dy_on_device.fetch().guards_intact() && db_on_device.fetch().guards_intact() &&
             relu_db_on_device.fetch().guards_intact()));
  }
}

/// Counted by tests/tools/cuda_counters_bias.py.
constexpr BiasProblem kCounted{2, 16, 46 * 46};

}  // namespace

TEST_CASE("cuda bias: as the CPU, alone and with a ReLU") {
  as_the_cpu({1, 1, 1}, 0);
  as_the_cpu({5, 2, 3}, 0);  // several images in a stride of the block
  as_the_cpu({3, 2, 4}, 0);
  as_the_cpu({3, 2, 2116}, 0);
  as_the_cpu({2, 2, 2116}, 1);
  as_the_cpu({2, 1, 2115}, 0);
  as_the_cpu({1, 1, 9000}, 0);
}

TEST_CASE("cuda bias: overwrites what was NaN, and without a bias masks alone") {
  CudaDevice cuda;
  const auto& bias = kernels::bias_kernels<float>(Backend::Cuda);
  const BiasProblem problem{2, 3, 4};
  DeviceBuffer<float> dy(cuda, std::vector<float>(24, 2)), y(cuda, std::vector<float>(24, 1)), db(cuda, 3);
  bias.relu_backward(cuda.exec, problem, y.data(), dy.data(), nullptr, GradMode::Ignore);
  REQUIRE(dy.values() == std::vector<float>(24, 2));
  bias.backward(cuda.exec, problem, dy.data(), db.data(), GradMode::Overwrite);
  REQUIRE(db.values() == std::vector<float>(3, 16));
  DeviceBuffer<float> negative(cuda, std::vector<float>(24, -1)), zero(cuda, 3);
  bias.relu_backward(cuda.exec, problem, negative.data(), dy.data(), zero.data(), GradMode::Overwrite);
  REQUIRE(dy.values() == std::vector<float>(24, 0));
  REQUIRE(zero.values() == std::vector<float>(3, 0));
}

TEST_CASE("count bias: backward", "[.count]") {
  CudaDevice cuda;
  DeviceBuffer<float> dy(cuda, std::vector<float>(static_cast<size_t>(size_of(kCounted)), 1)), db(cuda, 16);
  kernels::bias_kernels<float>(Backend::Cuda)
      .backward(cuda.exec, kCounted, dy.data(), db.data(), GradMode::Overwrite);
  REQUIRE(db.values() == std::vector<float>(16, 2 * 46 * 46));
}

TEST_CASE("count bias: ReLU and bias", "[.count]") {
  CudaDevice cuda;
  const std::vector<float> ones(static_cast<size_t>(size_of(kCounted)), 1);
  DeviceBuffer<float> y(cuda, ones), dy(cuda, ones), db(cuda, 16);
  kernels::bias_kernels<float>(Backend::Cuda)
      .relu_backward(cuda.exec, kCounted, y.data(), dy.data(), db.data(), GradMode::Overwrite);
  REQUIRE(db.values() == std::vector<float>(16, 2 * 46 * 46));
}
