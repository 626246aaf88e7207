// ReLU against a loop over the definition; derivative by central differences away from the kink.
#include "kernels/relu/relu.h"

#include <limits>

#include "kernels/base/error.h"
#include "tests/support/cpu_kernels.h"

namespace {

using kernels::Backend;
using kernels::GradMode;
using namespace tests;

template <class T>
void exact() {
  Cpu cpu;
  const auto& relu = kernels::relu_kernels<T>(Backend::Cpu);
  std::mt19937 random(1);
  for (const int64_t count : {0, 1, 2, 3, 4, 5, 7, 8, 15, 17, 1000, 32768, 100001}) {
    CAPTURE(count);
    const GuardedBuffer<T> x(integers<T>(random, count, -3, 3)), dy(integers<T>(random, count, -9, 9));
    GuardedBuffer<T> y(x.size());
    relu.forward(cpu.exec, count, x.data(), y.data());
    std::vector<T> expected(x.size()), gradient(x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      expected[i] = std::max(x[i], T(0));
      gradient[i] = x[i] > 0 ? dy[i] : 0;
    }
    REQUIRE(differing(y.values(), expected) == 0);
    REQUIRE(y.guards_intact());
    require_grad_modes(gradient, [&](T* dx, GradMode mode) {
      relu.backward(cpu.exec, count, y.data(), dy.data(), dx, mode);
    });

    GuardedBuffer<T> in_place(x.values()), gradient_in_place(dy.values());
    relu.forward(cpu.exec, count, in_place.data(), in_place.data());
    relu.backward(cpu.exec, count, y.data(), gradient_in_place.data(), gradient_in_place.data(),
                  GradMode::Overwrite);
    REQUIRE(differing(in_place.values(), expected) == 0);
    REQUIRE(differing(gradient_in_place.values(), gradient) == 0);
  }
}

template <class T>
void special_values() {
  Cpu cpu;
  const auto& relu = kernels::relu_kernels<T>(Backend::Cpu);
  constexpr T kNan = std::numeric_limits<T>::quiet_NaN(), kInf = std::numeric_limits<T>::infinity();
  constexpr T kTiny = std::numeric_limits<T>::denorm_min();
  // Nine copies of each, so that whole vectors and the rest behind them see every value.
  const std::vector<T> values = {kNan, -kNan, T(-0.0), T(0), kInf, -kInf, kTiny, -kTiny};
  std::vector<T> x;
  for (int i = 0; i < 9; ++i) x.insert(x.end(), values.begin(), values.end());
  const auto count = static_cast<int64_t>(x.size());
  std::vector<T> y(x.size()), dx(x.size());
  const std::vector<T> dy(x.size(), T(5));
  relu.forward(cpu.exec, count, x.data(), y.data());
  relu.backward(cpu.exec, count, y.data(), dy.data(), dx.data(), GradMode::Overwrite);
  for (size_t i = 0; i < x.size(); i += values.size()) {
    CHECK(std::isnan(y[i]));
    CHECK(std::isnan(y[i + 1]));
    CHECK(y[i + 2] == 0);
    CHECK(y[i + 3] == 0);
    CHECK(y[i + 4] == kInf);
    CHECK(y[i + 5] == 0);
    CHECK(y[i + 6] == kTiny);
    CHECK(y[i + 7] == 0);
    const std::vector<T> slopes(dx.begin() + static_cast<int64_t>(i),
                                dx.begin() + static_cast<int64_t>(i) + 8);
    CHECK(slopes == std::vector<T>{0, 0, 0, 0, 5, 0, 5, 0});
  }
}

}  // namespace

TEST_CASE("relu: exact, all gradient modes, in place") {
  exact<float>();
  exact<double>();
}

TEST_CASE("relu: NaN stays, zeros of both signs, infinities, denormals") {
  special_values<float>();
  special_values<double>();
}

TEST_CASE("relu: derivative by central differences") {
  Cpu cpu;
  const auto& relu = kernels::relu_kernels<double>(Backend::Cpu);
  std::mt19937 random(2);
  constexpr int64_t kCount = 200;
  const auto x = reals<double>(random, kCount), weight = reals<double>(random, kCount);
  std::vector<double> y(kCount), dx(kCount);
  const auto loss = [&](const std::vector<double>& at) {
    relu.forward(cpu.exec, kCount, at.data(), y.data());
    double sum = 0;
    for (size_t i = 0; i < kCount; ++i) sum += weight[i] * y[i];
    return sum;
  };
  loss(x);
  relu.backward(cpu.exec, kCount, y.data(), weight.data(), dx.data(), GradMode::Overwrite);
  require_gradient(x, dx, 1e-4, loss, [](double at) { return std::fabs(at) > 1e-3; });
}

TEST_CASE("relu: same bits for any number of threads") {
  std::mt19937 random(3);
  const auto x = reals<float>(random, 200001);
  require_same_for_any_threads([&](Cpu& cpu) {
    std::vector<float> y(x.size());
    kernels::relu_kernels<float>(Backend::Cpu).forward(cpu.exec, 200001, x.data(), y.data());
    return y;
  });
}

TEST_CASE("relu: a missing backend is DeviceUnavailable") {
  try {
    kernels::relu_kernels<double>(Backend::Cuda);
    FAIL("no error");
  } catch (const kernels::Error& error) {
    CHECK(error.code() == kernels::ExitCode::DeviceUnavailable);
    CHECK(error.info().what == "this build has no CUDA kernels");
  }
}
