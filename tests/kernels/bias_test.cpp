// Gradient of a bias: exact on whole numbers, close to a long double sum on real ones.
#include "kernels/bias/bias.h"

#include "tests/support/cpu_kernels.h"

namespace {

using kernels::Backend;
using kernels::BiasProblem;
using kernels::GradMode;
using namespace tests;

template <class T>
void exact() {
  Cpu cpu;
  const auto& bias = kernels::bias_kernels<T>(Backend::Cpu);
  std::mt19937 random(41);
  for (int index = 0; index < 100; ++index) {
    const BiasProblem problem{pick(random, 1, 4), pick(random, 1, 40), pick(random, 1, 300)};
    CAPTURE(problem.N, problem.K, problem.pixels);
    const GuardedBuffer<T> dy(integers<T>(random, problem.N * problem.K * problem.pixels, -9, 9));
    std::vector<T> gradient(static_cast<size_t>(problem.K));
    for (size_t i = 0; i < dy.size(); ++i) {
      gradient[i / static_cast<size_t>(problem.pixels) % static_cast<size_t>(problem.K)] += dy[i];
    }
    require_grad_modes(gradient,
                       [&](T* db, GradMode mode) { bias.backward(cpu.exec, problem, dy.data(), db, mode); });
  }
}

}  // namespace

TEST_CASE("bias: exact over many shapes, all gradient modes") {
  exact<float>();
  exact<double>();
}

TEST_CASE("bias: a float gradient is summed in double, the same for any number of threads") {
  std::mt19937 random(42);
  constexpr int64_t kImages = 3, kMaps = 5, kPixels = 20011;
  const auto dy = reals<float>(random, kImages * kMaps * kPixels);
  std::vector<long double> sums(kMaps);
  for (size_t i = 0; i < dy.size(); ++i) sums[i / kPixels % kMaps] += static_cast<long double>(dy[i]);
  require_same_for_any_threads([&](Cpu& cpu) {
    std::vector<float> db(kMaps);
    kernels::bias_kernels<float>(Backend::Cpu)
        .backward(cpu.exec, {kImages, kMaps, kPixels}, dy.data(), db.data(), GradMode::Overwrite);
    for (size_t k = 0; k < kMaps; ++k) REQUIRE(db[k] == static_cast<float>(sums[k]));
    return db;
  });
}
