// Every CUDA row of the convolution list against the oracle: exact on integers, the reference bit for bit.
#include <map>

#include "kernels/relu/relu.h"
#include "tests/kernels_cuda/conv2d_run.h"

namespace {

using kernels::Backend;
using kernels::ConvProblem;
using kernels::ConvRow;
using kernels::Direction;
using kernels::GradMode;
using namespace tests;

/// Calls body(row) for the CUDA rows that support the problem.
template <class Body>
void for_each_row(CudaDevice& cuda, const ConvProblem& problem, Direction direction, const Body& body) {
  for (const ConvRow<float>& row : kernels::conv_rows<float>()) {
    if (row.backend != Backend::Cuda || !row.supports(cuda.exec, problem, direction).empty()) continue;
    INFO(row.name << " " << direction_name(direction) << " " << to_string(problem));
    body(row);
  }
}

/// All rows, directions and modes on integers; returns how often each row ran.
void check_exact(CudaDevice& cuda, const ConvProblem& problem, uint64_t seed,
                 std::map<std::string, int>& runs) {
  const auto data = integer_data<float>(problem, seed);
  DeviceConvData on_device(cuda, data);
  for (const Direction direction : kDirections) {
    ConvRun run{.direction = direction, .bias = direction == Direction::Fprop && seed % 2 == 0};
    const std::vector<double> expected = naive_conv(data, direction, run.bias);
    const std::vector<float>& old = direction == Direction::Dgrad ? data.old_dx : data.old_dw;
    for_each_row(cuda, problem, direction, [&](const ConvRow<float>& row) {
      ++runs[row.name];
      run.mode = GradMode::Overwrite;
      CHECK(differing<float>(device_run(cuda, row, run, on_device), expected, nullptr) == 0);
      if (direction == Direction::Fprop) return;
      run.mode = GradMode::Accumulate;
      CHECK(differing<float>(device_run(cuda, row, run, on_device), expected, &old) == 0);
    });
  }
}

/// Shapes of few multiply-adds: every one is interpreted.
const ConvProblem kSmall[] = {
    {.N = 2, .C = 3, .H = 11, .W = 14, .K = 4, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1, .stride = 2},
    {.N = 1, .C = 2, .H = 10, .W = 9, .K = 3, .R = 2, .S = 5, .pad_h = 0, .pad_w = 4, .stride = 2},
    {.N = 1, .C = 2, .H = 13, .W = 7, .K = 2, .R = 5, .S = 1, .pad_h = 3, .pad_w = 0, .stride = 3},
    {.N = 1, .C = 2, .H = 5, .W = 4, .K = 2, .R = 1, .S = 2, .pad_h = 2, .pad_w = 3, .stride = 4},
    {.N = 1, .C = 1, .H = 1, .W = 1, .K = 1, .R = 1, .S = 1},
    {.N = 2, .C = 3, .H = 9, .W = 40, .K = 9, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4},
    {.N = 1, .C = 1, .H = 9, .W = 17, .K = 70, .R = 3, .S = 5, .pad_h = 1, .pad_w = 4},
    {.N = 1, .C = 5, .H = 17, .W = 16, .K = 33, .R = 5, .S = 5, .pad_h = 2, .pad_w = 2},
    {.N = 1, .C = 7, .H = 17, .W = 33, .K = 17, .R = 7, .S = 7, .pad_h = 0, .pad_w = 1},
    {.N = 2, .C = 2, .H = 6, .W = 6, .K = 8, .R = 11, .S = 11, .pad_h = 5, .pad_w = 5},
    {.N = 2, .C = 2, .H = 4, .W = 6, .K = 8, .R = 3, .S = 3, .pad_h = 4, .pad_w = 5},
};

}  // namespace

TEST_CASE("cuda conv2d: exact on integers") {
  CudaDevice cuda;
  std::map<std::string, int> runs;
  uint64_t seed = 0;
  for (const ConvProblem& problem : kSmall) check_exact(cuda, problem, ++seed, runs);
  CHECK(runs["cuda.reference"] == 3 * static_cast<int>(std::size(kSmall)));
}

TEST_CASE("cuda conv2d: the reference has the CPU reference's bits, with and without ReLU") {
  CudaDevice cuda;
  Cpu cpu;
  const ConvRow<float>& device = conv_row("cuda.reference");
  const ConvRow<float>& host = conv_row("cpu.reference");
  for (const int64_t stride : {1, 2}) {
    const ConvProblem problem{
        .N = 2, .C = 3, .H = 9, .W = 12, .K = 5, .R = 3, .S = 5, .pad_h = 1, .pad_w = 2, .stride = stride};
    const auto data = tests::random_data<float>(problem, 1);
    DeviceConvData on_device(cuda, data);
    for (const Direction direction : kDirections) {
      for (const GradMode mode : {GradMode::Ignore, GradMode::Overwrite, GradMode::Accumulate}) {
        for (const bool relu : {false, true}) {
          const ConvRun run{.exec = cpu.exec, .direction = direction, .mode = mode, .relu = relu};
          CAPTURE(direction_name(direction), static_cast<int>(mode), relu);
          CHECK(same_bits(device_run(cuda, device, run, on_device), guarded_run(host, run, data)));
        }
      }
    }
  }
}

TEST_CASE("cuda conv2d: a device gets rows of its own") {
  CudaDevice cuda;
  const ConvProblem strided{.C = 2, .H = 8, .W = 8, .K = 2, .R = 3, .S = 3, .stride = 2};
  for (const Direction direction : kDirections) {
    CHECK(std::string(choose_conv_row<float>(cuda.exec, strided, direction).name) == "cuda.reference");
    CHECK_THROWS(choose_conv_row<double>(cuda.exec, strided, direction));
  }
}
