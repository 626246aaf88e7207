// Statistics of an array: exact on whole numbers, non-finite elements counted and left out of the sums.
#include "kernels/reduce/reduce.h"

#include <algorithm>
#include <limits>

#include "tests/support/cpu_kernels.h"

namespace {

using kernels::ArrayStats;
using kernels::Backend;
using namespace tests;

template <class T>
void exact() {
  Cpu cpu;
  const auto& reduce = kernels::reduce_kernels<T>(Backend::Cpu);
  std::mt19937 random(61);
  const T bad[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                   -std::numeric_limits<T>::infinity()};
  for (const int64_t count : {0, 1, 2, 3, 7, 8, 9, 100, 1001, 32768, 32769, 100003}) {
    for (const bool spoiled : {false, true}) {
      CAPTURE(count, spoiled);
      GuardedBuffer<T> x(integers<T>(random, count, -999, 999));
      ArrayStats expected;
      for (T& value : x) {
        if (spoiled && random() % 5 == 0) value = bad[random() % 3];
        if (!std::isfinite(value)) {
          ++expected.non_finite;
          continue;
        }
        const auto size = std::fabs(static_cast<double>(value));
        expected.sum_squares += size * size;
        expected.max_abs = std::max(expected.max_abs, size);
      }
      ArrayStats stats{-1, -1, -1};
      reduce.stats(cpu.exec, count, x.data(), &stats);
      REQUIRE(stats.sum_squares == expected.sum_squares);
      REQUIRE(stats.max_abs == expected.max_abs);
      REQUIRE(stats.non_finite == expected.non_finite);
    }
  }
}

}  // namespace

TEST_CASE("reduce: exact on whole numbers, with and without NaN and infinities") {
  exact<float>();
  exact<double>();
}

TEST_CASE("reduce: the largest floats do not overflow a sum in double") {
  Cpu cpu;
  const std::vector<float> x(3, -std::numeric_limits<float>::max());
  ArrayStats stats;
  kernels::reduce_kernels<float>(Backend::Cpu).stats(cpu.exec, 3, x.data(), &stats);
  const double largest = static_cast<double>(std::numeric_limits<float>::max());
  CHECK(stats.max_abs == largest);
  CHECK(stats.sum_squares == 3 * (largest * largest));
  CHECK(stats.non_finite == 0);
}

TEST_CASE("reduce: same bits for any number of threads") {
  std::mt19937 random(62);
  const auto x = reals<float>(random, 300007);
  require_same_for_any_threads([&](Cpu& cpu) {
    ArrayStats stats;
    kernels::reduce_kernels<float>(Backend::Cpu).stats(cpu.exec, 300007, x.data(), &stats);
    return std::vector<double>{stats.sum_squares, stats.max_abs};
  });
}
