// CUDA's concat and split equal the CPU's bit for bit, and write their slice alone: pixels that packs divide
// and that they do not, odd addresses, all gradient modes.
#include "kernels/concat/concat.h"

#include "tests/support/cuda_device.h"

namespace {

using kernels::Backend;
using kernels::ConcatSlice;
using kernels::GradMode;
using namespace tests;

void as_the_cpu(const ConcatSlice& slice, int64_t offset) {
  CAPTURE(slice.N, slice.pixels, slice.total, slice.first, slice.channels, offset);
  CudaDevice cuda;
  Cpu cpu;
  const auto& device = kernels::concat_kernels<float>(Backend::Cuda);
  const auto& host = kernels::concat_kernels<float>(Backend::Cpu);
  std::mt19937 random(21);
  const int64_t part = slice.N * slice.channels * slice.pixels, all = slice.N * slice.total * slice.pixels;
  const auto operand = reals<float>(random, part + offset), d_whole = reals<float>(random, all);

  DeviceBuffer<float> operand_on_device(cuda, operand), whole(cuda, static_cast<size_t>(all));
  GuardedBuffer<float> expected(static_cast<size_t>(all));  // poisoned like the device's
  device.forward(cuda.exec, slice, operand_on_device.data() + offset, whole.data());
  host.forward(cpu.exec, slice, operand.data() + offset, expected.data());
  const GuardedBuffer<float> got = whole.fetch();
  REQUIRE(got.guards_intact());
  REQUIRE(same_bits(got.values(), expected.values()));

  DeviceBuffer<float> d_whole_on_device(cuda, d_whole);
  for (const GradMode mode : {GradMode::Ignore, GradMode::Overwrite, GradMode::Accumulate}) {
    std::vector<float> gradient = operand;
    DeviceBuffer<float> gradient_on_device(cuda, gradient);
    device.backward(cuda.exec, slice, d_whole_on_device.data(), gradient_on_device.data() + offset, mode);
    host.backward(cpu.exec, slice, d_whole.data(), gradient.data() + offset, mode);
    const GuardedBuffer<float> result = gradient_on_device.fetch();
    REQUIRE(result.guards_intact());
    REQUIRE(same_bits(result.values(), gradient));
  }
}

/// Counted by tests/tools/cuda_counters_concat.py: stage 2's 15 maps behind 32 channels.
ConcatSlice counted(int64_t side) {
  return {.N = 2, .pixels = side * side, .total = 48, .first = 32, .channels = 15};
}

void count_forward(int64_t side) {
  CudaDevice cuda;
  const ConcatSlice slice = counted(side);
  const auto size = static_cast<size_t>(slice.N * slice.channels * slice.pixels);
  DeviceBuffer<float> operand(cuda, std::vector<float>(size, 1));
  DeviceBuffer<float> whole(cuda, static_cast<size_t>(slice.N * slice.total * slice.pixels));
  kernels::concat_kernels<float>(Backend::Cuda).forward(cuda.exec, slice, operand.data(), whole.data());
  const auto got = whole.values();
  REQUIRE(std::count(got.begin(), got.end(), 1.0F) == static_cast<int64_t>(size));
}

void count_backward(int64_t side, GradMode mode) {
  CudaDevice cuda;
  const ConcatSlice slice = counted(side);
  const auto size = static_cast<size_t>(slice.N * slice.channels * slice.pixels);
  DeviceBuffer<float> d_operand(cuda, std::vector<float>(size, 0));
  DeviceBuffer<float> d_whole(
      cuda, std::vector<float>(static_cast<size_t>(slice.N * slice.total * slice.pixels), 1));
  kernels::concat_kernels<float>(Backend::Cuda)
      .backward(cuda.exec, slice, d_whole.data(), d_operand.data(), mode);
  REQUIRE(d_operand.values() == std::vector<float>(size, 1));
}

}  // namespace

TEST_CASE("cuda concat: join and split as the CPU") {
  as_the_cpu({.N = 3, .pixels = 36, .total = 9, .first = 2, .channels = 5}, 0);
  as_the_cpu({.N = 2, .pixels = 316, .total = 7, .first = 0, .channels = 7}, 0);
  as_the_cpu({.N = 2, .pixels = 316, .total = 7, .first = 3, .channels = 4}, 1);
  as_the_cpu({.N = 3, .pixels = 35, .total = 8, .first = 4, .channels = 4}, 0);  // blocks of whole packs
  as_the_cpu({.N = 3, .pixels = 35, .total = 9, .first = 4, .channels = 4}, 0);
  as_the_cpu({.N = 2, .pixels = 301, .total = 3, .first = 2, .channels = 1}, 0);
  as_the_cpu({.N = 1, .pixels = 1, .total = 3, .first = 1, .channels = 1}, 0);
}

TEST_CASE("cuda concat: more images than a grid has rows") {
  as_the_cpu({.N = 65537, .pixels = 1, .total = 2, .first = 1, .channels = 1}, 0);
}

TEST_CASE("count concat: forward", "[.count]") {
  count_forward(46);
}

TEST_CASE("count concat: backward", "[.count]") {
  count_backward(46, GradMode::Overwrite);
}

TEST_CASE("count concat: backward that accumulates", "[.count]") {
  count_backward(46, GradMode::Accumulate);
}

TEST_CASE("count concat: forward of odd maps", "[.count]") {
  count_forward(47);
}
