// CUDA's pooling equals the CPU's bit for bit: the network's windows on their own path (rows longer than a
// warp, strips that end early, both parities of the height) and any others; ties, signed zeros, NaN and
// infinities. Accumulation adds the bits of an overwritten gradient to what is there.
#include "kernels/pool2d/pool2d.h"

#include <limits>

#include "tests/support/cuda_device.h"

namespace {

using kernels::Backend;
using kernels::GradMode;
using kernels::PoolProblem;
using kernels::PoolRounding;
using namespace tests;

using Kernels = kernels::Pool2dKernels<float>;

const Kernels& device() {
  return kernels::pool2d_kernels<float>(Backend::Cuda);
}

const Kernels& host() {
  return kernels::pool2d_kernels<float>(Backend::Cpu);
}

/// Small whole numbers with many ties; every other plane has nothing positive, and `special` adds values that
/// compare in ways of their own.
std::vector<float> image(std::mt19937& random, const PoolProblem& pool, bool special) {
  const float values[] = {0.0F, -0.0F, std::nanf("7"), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()};
  auto x = integers<float>(random, pool.x_size(), -3, 3);
  for (size_t i = 0; i < x.size(); ++i) {
    if (special && random() % 4 == 0) x[i] = values[random() % 5];
    if (i / static_cast<size_t>(pool.H * pool.W) % 2 == 1) x[i] = x[i] > 0 ? -x[i] : x[i];
  }
  return x;
}

/// backward(cuda or cpu kernels, exec, dx, mode) in all modes, against the host's overwritten gradient.
template <class OnDevice>
void require_modes(CudaDevice& cuda, std::mt19937& random, const std::vector<float>& gradient,
                   OnDevice on_device) {
  for (const GradMode mode : {GradMode::Ignore, GradMode::Overwrite, GradMode::Accumulate}) {
    std::vector<float> expected = reals<float>(random, std::ssize(gradient));
    DeviceBuffer<float> dx(cuda, expected);
    on_device(dx.data(), mode);
    for (size_t i = 0; i < expected.size(); ++i) {
      if (mode == GradMode::Overwrite) expected[i] = gradient[i];
      if (mode == GradMode::Accumulate) expected[i] += gradient[i];
    }
    const GuardedBuffer<float> got = dx.fetch();
    REQUIRE(got.guards_intact());
    REQUIRE(same_bits(got.values(), expected));
  }
}

/// Max pooling, alone or behind a ReLU; `offset` floats before the arrays spoil their alignment.
void max_as_the_cpu(const PoolProblem& pool, bool relu, bool special, int64_t offset) {
  INFO(to_string(pool));
  CAPTURE(relu, special, offset);
  CudaDevice cuda;
  Cpu cpu;
  std::mt19937 random(11);
  const auto outputs = static_cast<size_t>(pool.y_size());
  std::vector<float> x(static_cast<size_t>(offset)), dy(static_cast<size_t>(offset));
  const auto pixels = image(random, pool, special), gradients = reals<float>(random, pool.y_size());
  x.insert(x.end(), pixels.begin(), pixels.end());
  dy.insert(dy.end(), gradients.begin(), gradients.end());
  std::vector<float> y(outputs), gradient(pixels.size());
  std::vector<uint8_t> argmax(outputs);
  DeviceBuffer<float> x_on_device(cuda, x), dy_on_device(cuda, dy), y_on_device(cuda, outputs);
  DeviceBuffer<uint8_t> argmax_on_device(cuda, outputs);
  const auto forward = relu ? device().relu_max_forward : device().max_forward;
  forward(cuda.exec, pool, x_on_device.data() + offset, y_on_device.data(), argmax_on_device.data());
  (relu ? host().relu_max_forward : host().max_forward)(cpu.exec, pool, pixels.data(), y.data(),
                                                        argmax.data());
  REQUIRE((y_on_device.fetch().guards_intact() && argmax_on_device.fetch().guards_intact()));
  REQUIRE(same_bits(y_on_device.values(), y));
  REQUIRE(argmax_on_device.values() == argmax);

  if (relu) {
    host().relu_max_backward(cpu.exec, pool, gradients.data(), y.data(), argmax.data(), gradient.data(),
                             GradMode::Overwrite);
  } else {
    host().max_backward(cpu.exec, pool, gradients.data(), argmax.data(), gradient.data(),
                        GradMode::Overwrite);
  }
  require_modes(cuda, random, gradient, [&](float* dx, GradMode mode) {
    if (relu) {
      device().relu_max_backward(cuda.exec, pool, dy_on_device.data() + offset, y_on_device.data(),
                                 argmax_on_device.data(), dx, mode);
    } else {
      device().max_backward(cuda.exec, pool, dy_on_device.data() + offset, argmax_on_device.data(), dx, mode);
    }
  });
}

void avg_as_the_cpu(const PoolProblem& pool) {
  INFO(to_string(pool));
  CudaDevice cuda;
  Cpu cpu;
  std::mt19937 random(12);
  const auto x = reals<float>(random, pool.x_size()), dy = reals<float>(random, pool.y_size());
  std::vector<float> y(dy.size()), gradient(x.size());
  DeviceBuffer<float> x_on_device(cuda, x), dy_on_device(cuda, dy), y_on_device(cuda, dy.size());
  device().avg_forward(cuda.exec, pool, x_on_device.data(), y_on_device.data());
  host().avg_forward(cpu.exec, pool, x.data(), y.data());
  REQUIRE(y_on_device.fetch().guards_intact());
  REQUIRE(same_bits(y_on_device.values(), y));
  host().avg_backward(cpu.exec, pool, dy.data(), gradient.data(), GradMode::Overwrite);
  require_modes(cuda, random, gradient, [&](float* dx, GradMode mode) {
    device().avg_backward(cuda.exec, pool, dy_on_device.data(), dx, mode);
  });
}

/// Counted by tests/tools/cuda_counters_pool2d.py.
constexpr PoolProblem counted(int64_t side) {
  return {.planes = 4, .H = side, .W = side};
}

void count_forward(int64_t side, Kernels::MaxForward forward) {
  CudaDevice cuda;
  const PoolProblem pool = counted(side);
  const auto outputs = static_cast<size_t>(pool.y_size());
  DeviceBuffer<float> x(cuda, std::vector<float>(static_cast<size_t>(pool.x_size()), 1)), y(cuda, outputs);
  DeviceBuffer<uint8_t> argmax(cuda, outputs);
  forward(cuda.exec, pool, x.data(), y.data(), argmax.data());
  REQUIRE(y.values() == std::vector<float>(outputs, 1));
}

void count_backward(int64_t side, bool relu) {
  CudaDevice cuda;
  const PoolProblem pool = counted(side);
  const auto outputs = static_cast<size_t>(pool.y_size());
  DeviceBuffer<float> dy(cuda, std::vector<float>(outputs, 1)), dx(cuda, static_cast<size_t>(pool.x_size()));
  DeviceBuffer<uint8_t> argmax(cuda, std::vector<uint8_t>(outputs, 4));  // the middle of each window
  if (relu) {
    device().relu_max_backward(cuda.exec, pool, dy.data(), dy.data(), argmax.data(), dx.data(),
                               GradMode::Overwrite);
  } else {
    device().max_backward(cuda.exec, pool, dy.data(), argmax.data(), dx.data(), GradMode::Overwrite);
  }
  const auto got = dx.values();
  REQUIRE(std::count(got.begin(), got.end(), 1.0F) == pool.y_size());
}

}  // namespace

TEST_CASE("cuda pool2d: max of the network's windows, alone and behind a ReLU") {
  for (const bool relu : {false, true}) {
    for (const int64_t height : {1, 2, 15, 16, 17, 34}) max_as_the_cpu({2, height, 12}, relu, true, 0);
    max_as_the_cpu({3, 6, 4}, relu, true, 0);  // one pair of columns a row
    max_as_the_cpu({2, 18, 28}, relu, false, 0);
    max_as_the_cpu({2, 5, 136}, relu, true, 0);    // more pairs than a warp has lanes
    max_as_the_cpu({2, 20, 128}, relu, false, 0);  // a warp a row
  }
}

TEST_CASE("cuda pool2d: max of other windows, shapes and addresses") {
  for (const bool relu : {false, true}) {
    max_as_the_cpu({2, 18, 28}, relu, true, 1);
    max_as_the_cpu({2, 9, 10}, relu, true, 0);
    max_as_the_cpu({2, 9, 11}, relu, false, 0);
    max_as_the_cpu({2, 12, 12, 3, 2, 0, PoolRounding::Ceil}, relu, true, 0);
    max_as_the_cpu({1, 12, 12, 3, 2, 1, PoolRounding::Ceil}, relu, true, 0);
    max_as_the_cpu({1, 2, 2, 3, 2, 0, PoolRounding::Ceil}, relu, false, 0);
    max_as_the_cpu({2, 13, 9, 5, 2, 2}, relu, true, 0);  // an input pixel in nine windows
    max_as_the_cpu({2, 11, 8, 2, 3, 0}, relu, true, 0);  // pixels in no window
    max_as_the_cpu({1, 20, 17, 15, 4, 14}, relu, true, 0);
  }
}

TEST_CASE("cuda pool2d: average") {
  avg_as_the_cpu({2, 40, 24, 9, 8, 1});
  avg_as_the_cpu({2, 40, 24, 9, 8, 0, PoolRounding::Ceil});
  avg_as_the_cpu({1, 23, 20, 9, 8, 1, PoolRounding::Ceil});
  avg_as_the_cpu({2, 7, 9, 3, 1, 2});
  avg_as_the_cpu({2, 11, 8, 2, 3, 0});
  avg_as_the_cpu({1, 2, 2, 3, 2, 0, PoolRounding::Ceil});
}

TEST_CASE("count pool2d: max forward", "[.count]") {
  count_forward(184, device().max_forward);
}

TEST_CASE("count pool2d: max forward of rows that are no whole sectors", "[.count]") {
  count_forward(92, device().max_forward);
}

TEST_CASE("count pool2d: ReLU and max forward", "[.count]") {
  count_forward(184, device().relu_max_forward);
}

TEST_CASE("count pool2d: max backward", "[.count]") {
  count_backward(184, false);
}

TEST_CASE("count pool2d: max backward of rows that are no whole sectors", "[.count]") {
  count_backward(92, false);
}

TEST_CASE("count pool2d: ReLU and max backward", "[.count]") {
  count_backward(184, true);
}
