// Fill, copy and add: exact for sizes around vectors and spans; nothing outside the arrays is touched.
#include "kernels/copy/copy.h"

#include <limits>

#include "tests/support/cpu_kernels.h"

namespace {

using kernels::Backend;
using kernels::GradMode;
using namespace tests;

template <class T>
void exact() {
  Cpu cpu;
  const auto& copy = kernels::copy_kernels<T>(Backend::Cpu);
  std::mt19937 random(51);
  for (const int64_t count : {0, 1, 2, 3, 5, 8, 31, 1000, 32767, 32768, 32769, 100003}) {
    CAPTURE(count);
    const GuardedBuffer<T> x(integers<T>(random, count, -99, 99));
    require_grad_modes(x.values(),
                       [&](T* y, GradMode mode) { copy.copy(cpu.exec, count, x.data(), y, mode); });
    GuardedBuffer<T> filled(x.size());
    copy.fill(cpu.exec, count, T(2.5), filled.data());
    REQUIRE(filled.values() == std::vector<T>(x.size(), T(2.5)));
    REQUIRE(filled.guards_intact());
  }
}

}  // namespace

TEST_CASE("copy: fill, copy and add are exact") {
  exact<float>();
  exact<double>();
}

TEST_CASE("copy: a copy has the same bits, NaN included") {
  Cpu cpu(3);
  const std::vector<float> x = {-0.0F, std::nanf("7"), std::numeric_limits<float>::infinity(), 1e-42F};
  std::vector<float> y(x.size());
  kernels::copy_kernels<float>(Backend::Cpu).copy(cpu.exec, 4, x.data(), y.data(), GradMode::Overwrite);
  CHECK(same_bits(x, y));
}
