// One launch of each convolution kernel on a shape that fills its tiles, for
// tests/tools/cuda_counters_conv2d.py; exact against the CPU's row.
#include "tests/kernels_cuda/conv2d_run.h"

namespace {

using kernels::ConvProblem;
using kernels::Direction;
using namespace tests;

void count_run(const char* row, const char* on_cpu, Direction direction, const ConvProblem& problem) {
  CudaDevice cuda;
  Cpu cpu;
  const auto data = integer_data<float>(problem, 1);
  DeviceConvData on_device(cuda, data);
  const ConvRun run{.exec = cpu.exec, .direction = direction};
  REQUIRE(device_run(cuda, conv_row(row), run, on_device) == guarded_run(conv_row(on_cpu), run, data));
}

void count_direct(Direction direction, const ConvProblem& problem) {
  count_run("cuda.direct", "cpu.direct", direction, problem);
}

void count_gemm(Direction direction) {
  const ConvProblem problem{.N = 1, .C = 128, .H = 46, .W = 46, .K = 128, .R = 1, .S = 1};
  count_run("cuda.gemm", "cpu.direct", direction, problem);
}

/// The network's maps, 46 x 46, on tiles of 16 x 16 pixels.
ConvProblem maps(int64_t C, int64_t K, int64_t width) {
  return {.N = 1,
          .C = C,
          .H = 46,
          .W = 46,
          .K = K,
          .R = width,
          .S = width,
          .pad_h = width / 2,
          .pad_w = width / 2};
}

/// Tiles of 8 x 32 pixels.
constexpr ConvProblem kWide{
    .N = 1, .C = 64, .H = 16, .W = 32, .K = 64, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4};

}  // namespace

TEST_CASE("count conv2d: direct fprop 9x9", "[.count]") {
  count_direct(Direction::Fprop, maps(64, 64, 9));
}

TEST_CASE("count conv2d: direct fprop 9x9 on wide tiles", "[.count]") {
  count_direct(Direction::Fprop, kWide);
}

TEST_CASE("count conv2d: direct dgrad 9x9", "[.count]") {
  count_direct(Direction::Dgrad, maps(64, 64, 9));
}

TEST_CASE("count conv2d: direct wgrad 9x9", "[.count]") {
  count_direct(Direction::Wgrad, maps(64, 64, 9));
}

TEST_CASE("count conv2d: direct fprop 11x11", "[.count]") {
  count_direct(Direction::Fprop, maps(32, 64, 11));
}

TEST_CASE("count conv2d: direct dgrad 11x11", "[.count]") {
  count_direct(Direction::Dgrad, maps(64, 32, 11));
}

TEST_CASE("count conv2d: direct wgrad 11x11", "[.count]") {
  count_direct(Direction::Wgrad, maps(32, 64, 11));
}

TEST_CASE("count conv2d: gemm fprop", "[.count]") {
  count_gemm(Direction::Fprop);
}

TEST_CASE("count conv2d: gemm dgrad", "[.count]") {
  count_gemm(Direction::Dgrad);
}

TEST_CASE("count conv2d: gemm wgrad", "[.count]") {
  count_gemm(Direction::Wgrad);
}
