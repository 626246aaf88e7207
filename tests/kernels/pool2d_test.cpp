// Pooling against naive loops whose windows are enumerated, not computed: a window counts while the one
// before it leaves a part of the padded image uncovered (ceil) or while it fits (floor).
#include "kernels/pool2d/pool2d.h"

#include <limits>

#include "kernels/base/error.h"
#include "kernels/relu/relu.h"
#include "tests/support/cpu_kernels.h"

namespace {

using kernels::Backend;
using kernels::GradMode;
using kernels::PoolProblem;
using kernels::PoolRounding;
using namespace tests;

int64_t windows(const PoolProblem& pool, int64_t size) {
  int64_t count = 0;
  const int64_t end = size + pool.pad;  // of the padded image
  for (int64_t start = -pool.pad;; start += pool.stride, ++count) {
    if (pool.rounding == PoolRounding::Floor && start + pool.kernel > end) return count;
    if (pool.rounding == PoolRounding::Ceil) {
      if (count > 0 && start - pool.stride + pool.kernel >= end) return count;  // nothing left to cover
      if (start >= size) return count;                                          // padding alone
    }
  }
}

struct Pixel {
  int64_t index, place;
};

/// The pixels of window (p, q) of a plane in row-major order.
std::vector<Pixel> window_pixels(const PoolProblem& pool, int64_t p, int64_t q) {
  std::vector<Pixel> pixels;
  for (int64_t r = 0; r < pool.kernel; ++r) {
    for (int64_t s = 0; s < pool.kernel; ++s) {
      const int64_t h = p * pool.stride - pool.pad + r, w = q * pool.stride - pool.pad + s;
      if (h >= 0 && h < pool.H && w >= 0 && w < pool.W) {
        pixels.push_back({h * pool.W + w, r * pool.kernel + s});
      }
    }
  }
  return pixels;
}

/// The number of places of window (p, q) that average pooling divides by.
int64_t divisor(const PoolProblem& pool, int64_t p, int64_t q) {
  int64_t count = 0;
  for (int64_t r = 0; r < pool.kernel; ++r) {
    for (int64_t s = 0; s < pool.kernel; ++s) {
      const bool padded =
          p * pool.stride + r < pool.H + 2 * pool.pad && q * pool.stride + s < pool.W + 2 * pool.pad;
      count += pool.rounding == PoolRounding::Floor || padded;
    }
  }
  return count;
}

/// Calls body(output index, offset of the plane in x, p, q) for every output.
template <class Body>
void for_outputs(const PoolProblem& pool, Body body) {
  const int64_t P = windows(pool, pool.H), Q = windows(pool, pool.W);
  for (int64_t plane = 0; plane < pool.planes; ++plane) {
    for (int64_t p = 0; p < P; ++p) {
      for (int64_t q = 0; q < Q; ++q) body((plane * P + p) * Q + q, plane * pool.H * pool.W, p, q);
    }
  }
}

PoolProblem random_problem(std::mt19937& random, int index) {
  while (true) {
    PoolProblem pool;
    pool.planes = pick(random, 1, 4);
    pool.H = pick(random, 1, 20);
    pool.W = index % 16 == 0 ? pick(random, 500, 1100) : pick(random, 1, 40);
    const bool usual = index % 3 == 0;  // the vector path: 3x3, stride 2
    pool.kernel = usual ? 3 : pick(random, 1, index % 10 == 1 ? 15 : 5);
    pool.stride = usual ? 2 : pick(random, 1, 4);
    pool.pad = pick(random, 0, pool.kernel - 1);
    pool.rounding = index % 2 == 0 ? PoolRounding::Floor : PoolRounding::Ceil;
    if (windows(pool, pool.H) > 0 && windows(pool, pool.W) > 0 && pool.H + 2 * pool.pad >= pool.kernel &&
        pool.W + 2 * pool.pad >= pool.kernel) {
      return pool;
    }
  }
}

/// Small whole numbers, so with many ties; every third image has NaN, infinities and -0 too.
template <class T>
std::vector<T> image(std::mt19937& random, const PoolProblem& pool, int index) {
  auto x = integers<T>(random, pool.x_size(), -3, 3);
  if (index % 3 != 1) return x;
  const T special[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                       -std::numeric_limits<T>::infinity(), -T(0)};
  for (T& value : x) {
    if (random() % 4 == 0) value = special[random() % 4];
  }
  return x;
}

template <class T>
void max_exact(int shapes) {
  Cpu cpu;
  const auto& pooling = kernels::pool2d_kernels<T>(Backend::Cpu);
  std::mt19937 random(11);
  for (int index = 0; index < shapes; ++index) {
    const PoolProblem pool = random_problem(random, index);
    INFO(to_string(pool));
    REQUIRE(pool.P() == windows(pool, pool.H));
    REQUIRE(pool.Q() == windows(pool, pool.W));
    const auto outputs = static_cast<size_t>(pool.y_size());
    const GuardedBuffer<T> x(image<T>(random, pool, index)), dy(integers<T>(random, pool.y_size(), -9, 9));
    std::vector<T> expected(outputs), gradient(x.size());
    std::vector<uint8_t> places(outputs);
    for_outputs(pool, [&](int64_t out, int64_t plane, int64_t p, int64_t q) {
      const auto pixels = window_pixels(pool, p, q);
      Pixel best = pixels.front();
      for (const Pixel& pixel : pixels) {
        const T value = x[static_cast<size_t>(plane + pixel.index)];
        if (value > x[static_cast<size_t>(plane + best.index)] || std::isnan(value)) best = pixel;
      }
      const auto o = static_cast<size_t>(out), from = static_cast<size_t>(plane + best.index);
      expected[o] = x[from];
      places[o] = static_cast<uint8_t>(best.place);
      gradient[from] += dy[o];
    });
    GuardedBuffer<T> y(outputs);
    GuardedBuffer<uint8_t> argmax(outputs);
    for (const kernels::Isa isa : {kernels::Isa::Portable, kernels::best_isa()}) {
      cpu.exec.isa = isa;
      y.poison();
      argmax.poison();
      pooling.max_forward(cpu.exec, pool, x.data(), y.data(), argmax.data());
      REQUIRE(same_bits(y.values(), expected));
      REQUIRE(argmax.values() == places);
      REQUIRE((y.guards_intact() && argmax.guards_intact()));
    }
    require_grad_modes(gradient, [&](T* dx, GradMode mode) {
      pooling.max_backward(cpu.exec, pool, dy.data(), argmax.data(), dx, mode);
    });
  }
}

template <class T>
void avg_exact(int shapes) {
  Cpu cpu;
  const auto& pooling = kernels::pool2d_kernels<T>(Backend::Cpu);
  std::mt19937 random(12);
  for (int index = 0; index < shapes; ++index) {
    const PoolProblem pool = random_problem(random, index);
    INFO(to_string(pool));
    const auto outputs = static_cast<size_t>(pool.y_size());
    const GuardedBuffer<T> x(integers<T>(random, pool.x_size(), -50, 50));
    GuardedBuffer<T> dy(integers<T>(random, pool.y_size(), -9, 9)), y(outputs);
    std::vector<T> expected(outputs), gradient(x.size());
    for_outputs(pool, [&](int64_t out, int64_t plane, int64_t p, int64_t q) {
      const auto o = static_cast<size_t>(out);
      const auto count = static_cast<T>(divisor(pool, p, q));
      T sum = 0;
      for (const Pixel& pixel : window_pixels(pool, p, q)) {
        sum += x[static_cast<size_t>(plane + pixel.index)];
        gradient[static_cast<size_t>(plane + pixel.index)] += dy[o];
      }
      expected[o] = sum / count;
      dy[o] *= count;  // so that each pixel's share is a whole number
    });
    pooling.avg_forward(cpu.exec, pool, x.data(), y.data());
    REQUIRE(differing(y.values(), expected) == 0);
    REQUIRE(y.guards_intact());
    require_grad_modes(
        gradient, [&](T* dx, GradMode mode) { pooling.avg_backward(cpu.exec, pool, dy.data(), dx, mode); });
  }
}

/// Real numbers with signed zeros, NaN and infinities among them; some planes have nothing positive.
template <class T>
std::vector<T> signed_image(std::mt19937& random, const PoolProblem& pool) {
  auto x = reals<T>(random, pool.x_size());
  const T special[] = {T(0), -T(0), std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                       -std::numeric_limits<T>::infinity()};
  for (size_t i = 0; i < x.size(); ++i) {
    if (random() % 4 == 0) x[i] = special[random() % 5];
    if (i / static_cast<size_t>(pool.H * pool.W) % 2 == 1) x[i] = x[i] > 0 ? -x[i] : x[i];
  }
  return x;
}

/// The bits of ReLU then max pooling, and of their backward steps.
template <class T>
void relu_max_exact(int shapes) {
  Cpu cpu;
  const auto& pooling = kernels::pool2d_kernels<T>(Backend::Cpu);
  const auto& relu = kernels::relu_kernels<T>(Backend::Cpu);
  std::mt19937 random(16);
  for (int index = 0; index < shapes; ++index) {
    const PoolProblem pool = random_problem(random, index);
    INFO(to_string(pool));
    const GuardedBuffer<T> x(signed_image<T>(random, pool)), dy(reals<T>(random, pool.y_size()));
    std::vector<T> activation(x.size()), expected(dy.size()), d_activation(x.size());
    std::vector<uint8_t> places(dy.size());
    relu.forward(cpu.exec, pool.x_size(), x.data(), activation.data());
    pooling.max_forward(cpu.exec, pool, activation.data(), expected.data(), places.data());
    pooling.max_backward(cpu.exec, pool, dy.data(), places.data(), d_activation.data(), GradMode::Overwrite);

    GuardedBuffer<T> y(dy.size());
    GuardedBuffer<uint8_t> argmax(dy.size());
    pooling.relu_max_forward(cpu.exec, pool, x.data(), y.data(), argmax.data());
    REQUIRE(same_bits(y.values(), expected));
    REQUIRE(argmax.values() == places);
    REQUIRE((y.guards_intact() && argmax.guards_intact()));
    for (const GradMode mode : {GradMode::Ignore, GradMode::Overwrite, GradMode::Accumulate}) {
      GuardedBuffer<T> dx(reals<T>(random, pool.x_size()));
      std::vector<T> gradient = dx.values();
      relu.backward(cpu.exec, pool.x_size(), activation.data(), d_activation.data(), gradient.data(), mode);
      pooling.relu_max_backward(cpu.exec, pool, dy.data(), y.data(), argmax.data(), dx.data(), mode);
      REQUIRE(same_bits(dx.values(), gradient));
      REQUIRE(dx.guards_intact());
    }
  }
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

TEST_CASE("pool2d: max is exact over many shapes, with ties, NaN and infinities") {
  max_exact<float>(600);
  max_exact<double>(600);
}

TEST_CASE("pool2d: max behind a ReLU has the bits of the two steps") {
  relu_max_exact<float>(300);
  relu_max_exact<double>(300);
}

TEST_CASE("pool2d: average is exact over many shapes") {
  avg_exact<float>(600);
  avg_exact<double>(600);
}

TEST_CASE("pool2d: output sizes of PyTorch and Caffe") {
  const auto size = [](int64_t image, int64_t kernel, int64_t stride, int64_t pad, PoolRounding rounding) {
    return PoolProblem{1, image, image, kernel, stride, pad, rounding}.P();
  };
  CHECK(size(368, 3, 2, 1, PoolRounding::Floor) == 184);
  CHECK(size(368, 3, 2, 0, PoolRounding::Ceil) == 184);
  CHECK(size(368, 9, 8, 1, PoolRounding::Ceil) == 47);  // (370 - 9) / 8 = 45.1, up, + 1
  CHECK(size(368, 9, 8, 1, PoolRounding::Floor) == 46);
  CHECK(size(3, 2, 2, 1, PoolRounding::Floor) == 2);
  CHECK(size(3, 2, 2, 1, PoolRounding::Ceil) == 2);  // a third window would start at 3: dropped
  CHECK(size(5, 1, 3, 0, PoolRounding::Ceil) == 2);  // likewise without padding
  CHECK(size(2, 3, 2, 0, PoolRounding::Ceil) == 1);  // larger than the image: one window, cut
}

TEST_CASE("pool2d: a window larger than the image in ceil mode") {
  Cpu cpu;
  const PoolProblem pool{1, 2, 2, 3, 2, 0, PoolRounding::Ceil};
  const std::vector<double> x = {1, 2, 6, 3};
  double y = 0;
  uint8_t argmax = 0;
  kernels::pool2d_kernels<double>(Backend::Cpu).max_forward(cpu.exec, pool, x.data(), &y, &argmax);
  CHECK((y == 6 && argmax == 3));
  kernels::pool2d_kernels<double>(Backend::Cpu).avg_forward(cpu.exec, pool, x.data(), &y);
  CHECK(y == 3);
}

TEST_CASE("pool2d: windows that cannot be are errors") {
  const auto rows = [](PoolProblem pool) { return pool.P(); };
  CHECK_THROWS_AS(rows({1, 2, 9, 3, 2, 0}), kernels::Error);
  CHECK_THROWS_AS(rows({1, 9, 9, 3, 2, 3}), kernels::Error);
  CHECK_THROWS_AS(rows({1, 99, 99, 16, 2, 1}), kernels::Error);
  CHECK_THROWS_AS(rows({1, 9, 9, 3, 0, 1}), kernels::Error);
  CHECK_THROWS_AS(rows({1, 1, 9, 3, 2, 0, PoolRounding::Ceil}), kernels::Error);
}

TEST_CASE("pool2d: max derivative by central differences") {
  Cpu cpu;
  const auto& pooling = kernels::pool2d_kernels<double>(Backend::Cpu);
  std::mt19937 random(13);
  const PoolProblem pool{2, 9, 11, 3, 2, 1};
  std::vector<double> x(static_cast<size_t>(pool.x_size()));
  for (size_t i = 0; i < x.size(); ++i) x[i] = 0.01 * static_cast<double>(i * 71 % x.size());  // no two alike
  const auto weight = reals<double>(random, pool.y_size());
  std::vector<double> y(weight.size()), dx(x.size());
  std::vector<uint8_t> argmax(weight.size());
  const auto loss = [&](const std::vector<double>& at) {
    pooling.max_forward(cpu.exec, pool, at.data(), y.data(), argmax.data());
    return dot(weight, y);
  };
  loss(x);
  pooling.max_backward(cpu.exec, pool, weight.data(), argmax.data(), dx.data(), GradMode::Overwrite);
  require_gradient(x, dx, 1e-3, loss, [](double) { return true; });
}

TEST_CASE("pool2d: average backward is the adjoint of forward") {
  Cpu cpu;
  const auto& pooling = kernels::pool2d_kernels<double>(Backend::Cpu);
  std::mt19937 random(14);
  for (const auto rounding : {PoolRounding::Floor, PoolRounding::Ceil}) {
    const PoolProblem pool{3, 20, 23, 9, 8, 1, rounding};
    const auto x = reals<double>(random, pool.x_size()), dy = reals<double>(random, pool.y_size());
    std::vector<double> y(dy.size()), dx(x.size());
    pooling.avg_forward(cpu.exec, pool, x.data(), y.data());
    pooling.avg_backward(cpu.exec, pool, dy.data(), dx.data(), GradMode::Overwrite);
    CHECK(std::fabs(dot(dy, y) - dot(dx, x)) <= 1e-14);
  }
}

TEST_CASE("pool2d: same bits for any number of threads") {
  std::mt19937 random(15);
  const PoolProblem pool{7, 61, 63, 5, 2, 2};  // windows overlap, so sums in backward have an order to keep
  const auto x = reals<float>(random, pool.x_size()), dy = reals<float>(random, pool.y_size());
  require_same_for_any_threads([&](Cpu& cpu) {
    const auto& pooling = kernels::pool2d_kernels<float>(Backend::Cpu);
    std::vector<float> y(dy.size()), dx(x.size());
    std::vector<uint8_t> argmax(dy.size());
    pooling.max_forward(cpu.exec, pool, x.data(), y.data(), argmax.data());
    pooling.max_backward(cpu.exec, pool, dy.data(), argmax.data(), dx.data(), GradMode::Overwrite);
    pooling.avg_backward(cpu.exec, pool, dy.data(), dx.data(), GradMode::Accumulate);
    dx.insert(dx.end(), y.begin(), y.end());
    pooling.avg_forward(cpu.exec, pool, x.data(), y.data());
    dx.insert(dx.end(), y.begin(), y.end());
    return dx;
  });
}
