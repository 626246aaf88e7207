// cuDNN's ReLU and pooling equal the CPU's kernels.
#include "kernels/pool2d/library.h"
#include "kernels/relu/library.h"
#include "tests/kernels_libs/library_support.h"

using kernels::Backend;
using kernels::GradMode;
using kernels::PoolProblem;
using namespace tests;

namespace {

constexpr GradMode kModes[] = {GradMode::Ignore, GradMode::Overwrite, GradMode::Accumulate};

/// Different numbers in a random order, so that no window has two maxima.
std::vector<float> distinct(std::mt19937& random, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(i) - static_cast<float>(count) / 2;
  std::shuffle(values.begin(), values.end(), random);
  return values;
}

/// |got - expected| <= 1e-6 of the largest; averages may be rounded in another order.
void require_close(const std::vector<float>& got, const std::vector<float>& expected) {
  REQUIRE(got.size() == expected.size());
  float scale = 0.0f, error = 0.0f;
  for (size_t i = 0; i < got.size(); ++i) {
    scale = std::max(scale, std::fabs(expected[i]));
    error = std::max(error, std::fabs(got[i] - expected[i]));
  }
  REQUIRE(error <= 1e-6f * scale);
}

std::vector<PoolProblem> problems() {
  std::vector<PoolProblem> list = {{.planes = 6, .H = 23, .W = 17},
                                   {.planes = 3, .H = 8, .W = 9, .kernel = 9, .stride = 8, .pad = 4}};
  std::mt19937 random(5);
  while (list.size() < 40) {
    PoolProblem p{.planes = pick(random, 1, 5), .H = pick(random, 1, 20), .W = pick(random, 1, 20)};
    p.kernel = pick(random, 1, 5);
    p.stride = pick(random, 1, 4);
    p.pad = pick(random, 0, p.kernel - 1);
    if (std::min(p.H, p.W) + 2 * p.pad >= p.kernel) list.push_back(p);
  }
  return list;
}

}  // namespace

TEST_CASE("cuDNN's ReLU: as the CPU's, NaN kept, in place") {
  CudaDevice cuda;
  Cpu cpu;
  std::string missing;
  const auto* device = kernels::cudnn_relu_kernels(cuda.exec, &missing);
  REQUIRE(missing == "");
  const auto& host = kernels::relu_kernels<float>(Backend::Cpu);
  std::mt19937 random(1);
  for (const int64_t count : {0, 1, 5, 1027}) {
    auto x = reals<float>(random, count), dy = reals<float>(random, count);
    if (count > 4) x[3] = NAN;
    std::vector<float> expected(x.size());
    host.forward(cpu.exec, count, x.data(), expected.data());
    DeviceBuffer<float> y(cuda, x), ddy(cuda, dy);
    device->forward(cuda.exec, count, y.data(), y.data());
    REQUIRE(y.fetch().guards_intact());
    REQUIRE(differing(y.values(), expected) == 0);
    for (const GradMode mode : kModes) {
      std::vector<float> gradient = reals<float>(random, count);
      DeviceBuffer<float> dx(cuda, gradient);
      device->backward(cuda.exec, count, y.data(), ddy.data(), dx.data(), mode);
      host.backward(cpu.exec, count, expected.data(), dy.data(), gradient.data(), mode);
      REQUIRE(dx.fetch().guards_intact());
      REQUIRE(differing(dx.values(), gradient) == 0);
    }
  }
}

TEST_CASE("cuDNN's max pooling: as the CPU's where no window has two maxima") {
  CudaDevice cuda;
  Cpu cpu;
  std::string missing;
  const auto* device = kernels::cudnn_pool2d(cuda.exec, &missing);
  REQUIRE(missing == "");
  const auto& host = kernels::pool2d_kernels<float>(Backend::Cpu);
  std::mt19937 random(2);
  for (const PoolProblem& p : problems()) {
    INFO(to_string(p));
    REQUIRE(device->supports(p) == "");
    const auto x = distinct(random, p.x_size()), dy = integers<float>(random, p.y_size(), -9, 9);
    std::vector<float> expected(static_cast<size_t>(p.y_size()));
    std::vector<uint8_t> argmax(expected.size());
    host.max_forward(cpu.exec, p, x.data(), expected.data(), argmax.data());
    DeviceBuffer<float> xs(cuda, x), y(cuda, expected.size()), dys(cuda, dy);
    device->max_forward(cuda.exec, p, xs.data(), y.data());
    REQUIRE(y.fetch().guards_intact());
    REQUIRE(same_bits(y.values(), expected));
    for (const GradMode mode : kModes) {
      std::vector<float> gradient = integers<float>(random, p.x_size(), -9, 9);
      DeviceBuffer<float> dx(cuda, gradient);
      device->max_backward(cuda.exec, p, xs.data(), y.data(), dys.data(), dx.data(), mode);
      host.max_backward(cpu.exec, p, dy.data(), argmax.data(), gradient.data(), mode);
      REQUIRE(dx.fetch().guards_intact());
      REQUIRE(differing(dx.values(), gradient) == 0);
    }
  }
}

TEST_CASE("cuDNN's average pooling: as the CPU's with padding counted, without ceil mode") {
  CudaDevice cuda;
  Cpu cpu;
  std::string missing;
  const auto* device = kernels::cudnn_pool2d(cuda.exec, &missing);
  REQUIRE(missing == "");
  CHECK(device->supports({.H = 5, .W = 5, .rounding = kernels::PoolRounding::Ceil}) ==
        "cuDNN has no ceil mode");
  const auto& host = kernels::pool2d_kernels<float>(Backend::Cpu);
  std::mt19937 random(3);
  for (const PoolProblem& p : problems()) {
    INFO(to_string(p));
    const auto x = reals<float>(random, p.x_size()), dy = reals<float>(random, p.y_size());
    std::vector<float> expected(static_cast<size_t>(p.y_size()));
    host.avg_forward(cpu.exec, p, x.data(), expected.data());
    DeviceBuffer<float> xs(cuda, x), y(cuda, expected.size()), dys(cuda, dy);
    device->avg_forward(cuda.exec, p, xs.data(), y.data());
    REQUIRE(y.fetch().guards_intact());
    require_close(y.values(), expected);
    for (const GradMode mode : kModes) {
      std::vector<float> gradient = reals<float>(random, p.x_size());
      const std::vector<float> old =
          mode == GradMode::Overwrite ? GuardedBuffer<float>(gradient.size()).values() : gradient;
      DeviceBuffer<float> dx(cuda, old);
      device->avg_backward(cuda.exec, p, dys.data(), dx.data(), mode);
      host.avg_backward(cpu.exec, p, dy.data(), gradient.data(), mode);
      REQUIRE(dx.fetch().guards_intact());
      require_close(dx.values(), gradient);
    }
  }
}
