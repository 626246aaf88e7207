// Squared error: exact on whole numbers, close to a long double sum on real ones, masked maps left out.
#include "kernels/mse/mse.h"

#include <limits>

#include "tests/support/cpu_kernels.h"

namespace {

using kernels::Backend;
using kernels::GradMode;
using kernels::MseOperands;
using namespace tests;

template <class T>
void exact() {
  Cpu cpu;
  const auto& mse = kernels::mse_kernels<T>(Backend::Cpu);
  std::mt19937 random(31);
  constexpr double kScale = 0.25;
  for (int index = 0; index < 60; ++index) {
    const int64_t maps = pick(random, 1, 30), pixels = pick(random, 1, 200);
    CAPTURE(maps, pixels);
    const bool masked = index % 2 == 1;
    GuardedBuffer<T> y(integers<T>(random, maps * pixels, -9, 9));
    const GuardedBuffer<T> target(integers<T>(random, maps * pixels, -9, 9));
    const GuardedBuffer<T> mask(integers<T>(random, maps, 0, 1));
    double sum = 0;
    std::vector<T> gradient(y.size());
    for (size_t i = 0; i < y.size(); ++i) {
      if (masked && mask[i / static_cast<size_t>(pixels)] == 0) {
        if (i % 3 == 0) y[i] = std::numeric_limits<T>::quiet_NaN();  // nobody may look at it
        continue;
      }
      const T difference = y[i] - target[i];
      sum += static_cast<double>(difference * difference);
      gradient[i] = difference / 2;
    }
    const MseOperands<T> operands{maps, pixels, y.data(), target.data(), masked ? mask.data() : nullptr};
    double loss = std::numeric_limits<double>::quiet_NaN();
    mse.forward(cpu.exec, operands, kScale, &loss);
    REQUIRE(loss == kScale * sum);
    require_grad_modes(gradient,
                       [&](T* dy, GradMode mode) { mse.backward(cpu.exec, operands, kScale, dy, mode); });
  }
}

}  // namespace

TEST_CASE("mse: exact on whole numbers, with and without a mask") {
  exact<float>();
  exact<double>();
}

TEST_CASE("mse: a float loss is summed in double") {
  Cpu cpu;
  std::mt19937 random(32);
  constexpr int64_t kMaps = 15, kPixels = 46 * 46;
  const auto y = reals<float>(random, kMaps * kPixels), target = reals<float>(random, kMaps * kPixels);
  long double sum = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const long double difference = static_cast<long double>(y[i]) - static_cast<long double>(target[i]);
    sum += difference * difference;
  }
  double loss = 0;
  kernels::mse_kernels<float>(Backend::Cpu)
      .forward(cpu.exec, {kMaps, kPixels, y.data(), target.data()}, 0.5, &loss);
  CHECK(std::fabs(loss - static_cast<double>(sum / 2)) <= 1e-13 * loss);
}

TEST_CASE("mse: derivative by central differences") {
  Cpu cpu;
  const auto& mse = kernels::mse_kernels<double>(Backend::Cpu);
  std::mt19937 random(33);
  constexpr int64_t kMaps = 4, kPixels = 30;
  const auto y = reals<double>(random, kMaps * kPixels), target = reals<double>(random, kMaps * kPixels);
  const std::vector<double> mask = {1, 0, 1, 1};
  std::vector<double> dy(y.size());
  const auto loss = [&](const std::vector<double>& at) {
    double value = 0;
    mse.forward(cpu.exec, {kMaps, kPixels, at.data(), target.data(), mask.data()}, 0.125, &value);
    return value;
  };
  mse.backward(cpu.exec, {kMaps, kPixels, y.data(), target.data(), mask.data()}, 0.125, dy.data(),
               GradMode::Overwrite);
  require_gradient(y, dy, 1e-4, loss, [](double) { return true; });
}

TEST_CASE("mse: same bits for any number of threads") {
  std::mt19937 random(34);
  const auto y = reals<float>(random, 40 * 777), target = reals<float>(random, 40 * 777);
  require_same_for_any_threads([&](Cpu& cpu) {
    double loss = 0;
    kernels::mse_kernels<float>(Backend::Cpu)
        .forward(cpu.exec, {40, 777, y.data(), target.data()}, 0.1, &loss);
    return std::vector<double>{loss};
  });
}
