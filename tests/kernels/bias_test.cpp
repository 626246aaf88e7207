// Gradient of a bias: exact on whole numbers, close to a long double sum on real ones.
#include "kernels/bias/bias.h"

#include "kernels/relu/relu.h"
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

/// The bits of ReLU's backward in place and then the bias gradient.
template <class T>
void with_relu() {
  Cpu cpu;
  const auto& bias = kernels::bias_kernels<T>(Backend::Cpu);
  const auto& relu = kernels::relu_kernels<T>(Backend::Cpu);
  std::mt19937 random(43);
  for (int index = 0; index < 60; ++index) {
    const BiasProblem problem{pick(random, 1, 4), pick(random, 1, 20), pick(random, 1, 300)};
    CAPTURE(problem.N, problem.K, problem.pixels);
    const int64_t count = problem.N * problem.K * problem.pixels;
    const auto y = activation<T>(random, count), dy = reals<T>(random, count);
    std::vector<T> dz = dy;
    relu.backward(cpu.exec, count, y.data(), dz.data(), dz.data(), GradMode::Overwrite);
    for (const GradMode mode : {GradMode::Ignore, GradMode::Overwrite, GradMode::Accumulate}) {
      GuardedBuffer<T> fused_dz(dy), db(reals<T>(random, problem.K));
      std::vector<T> expected = db.values();
      bias.backward(cpu.exec, problem, dz.data(), expected.data(), mode);
      bias.relu_backward(cpu.exec, problem, y.data(), fused_dz.data(), db.data(), mode);
      REQUIRE(same_bits(fused_dz.values(), dz));
      REQUIRE(same_bits(db.values(), expected));
      REQUIRE((fused_dz.guards_intact() && db.guards_intact()));
    }
    std::vector<T> masked = dy;
    bias.relu_backward(cpu.exec, problem, y.data(), masked.data(), nullptr, GradMode::Ignore);
    REQUIRE(same_bits(masked, dz));
  }
}

}  // namespace

TEST_CASE("bias: with a ReLU, the bits of the two steps") {
  with_relu<float>();
  with_relu<double>();
}

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
