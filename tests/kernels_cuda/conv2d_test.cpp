// Every CUDA row of the convolution list: exact on integers, the reference bit for bit, the others within
// rounding of double, the same bits again, a fused ReLU as one that follows.
#include <cmath>
#include <map>
#include <set>

#include "kernels/conv2d/cuda_direct.h"
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

/// Runs of a row, by "row direction mode".
using Runs = std::map<std::string, int>;

/// Our rows on integers, in every direction and by turns in one mode; the reference, which is slow, on every
/// third problem and where no other row is.
void check_exact(CudaDevice& cuda, const ConvProblem& problem, uint64_t seed, Runs& runs) {
  const auto data = integer_data<float>(problem, seed);
  DeviceConvData on_device(cuda, data, seed % 2);
  for (const Direction direction : kDirections) {
    ConvRun run{.direction = direction, .bias = direction == Direction::Fprop && seed % 3 != 0};
    const std::vector<double> expected = naive_conv(data, direction, run.bias);
    const std::vector<float>& old = direction == Direction::Dgrad ? data.old_dx : data.old_dw;
    const bool add = direction != Direction::Fprop && (seed + (direction == Direction::Wgrad)) % 2 == 0;
    for_each_row(cuda, problem, direction, [&](const ConvRow<float>& row) {
      const std::string name = row.name;
      if (name == "cuda.reference" && seed % 3 != 0 && problem.stride == 1) return;
      ++runs[name + " " + direction_name(direction) + (add ? " add" : "")];
      run.mode = add ? GradMode::Accumulate : GradMode::Overwrite;
      CHECK(differing<float>(device_run(cuda, row, run, on_device), expected, add ? &old : nullptr) == 0);
      if (direction == Direction::Fprop) return;
      run.mode = GradMode::Ignore;
      device_run(cuda, row, run, on_device);
    });
  }
}

/// The network's layers at small sizes, all tiles of cuda.direct and cuda.gemm, then pseudo-random odd ones;
/// few multiply-adds, for every one is interpreted.
std::vector<ConvProblem> stride_one() {
  std::vector<ConvProblem> problems = {
      {.N = 1, .C = 3, .H = 12, .W = 40, .K = 12, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4},
      {.N = 2, .C = 4, .H = 9, .W = 11, .K = 6, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4},
      {.N = 2, .C = 3, .H = 14, .W = 14, .K = 5, .R = 11, .S = 11, .pad_h = 5, .pad_w = 5},
      {.N = 1, .C = 12, .H = 5, .W = 6, .K = 9, .R = 5, .S = 5, .pad_h = 2, .pad_w = 2},
      {.N = 3, .C = 33, .H = 5, .W = 9, .K = 65, .R = 1, .S = 1},
      {.N = 2, .C = 70, .H = 6, .W = 10, .K = 15, .R = 1, .S = 1},
      {.N = 1, .C = 6, .H = 12, .W = 12, .K = 12, .R = 1, .S = 1},
      {.N = 1, .C = 2, .H = 9, .W = 34, .K = 70, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1},
      {.N = 1, .C = 2, .H = 60, .W = 62, .K = 3, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1},
      {.N = 1, .C = 1, .H = 31, .W = 32, .K = 16, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1},
      {.N = 1, .C = 1, .H = 60, .W = 14, .K = 15, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1},
      {.N = 1, .C = 1, .H = 110, .W = 13, .K = 5, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1},
      {.N = 1, .C = 1, .H = 33, .W = 30, .K = 17, .R = 3, .S = 5, .pad_h = 1, .pad_w = 4},
      {.N = 1, .C = 2, .H = 26, .W = 13, .K = 30, .R = 2, .S = 7, .pad_h = 0, .pad_w = 1},
      {.N = 2, .C = 2, .H = 4, .W = 6, .K = 8, .R = 3, .S = 3, .pad_h = 4, .pad_w = 5},
      {.N = 1, .C = 1, .H = 4, .W = 5, .K = 2, .R = 3, .S = 11, .pad_h = 1, .pad_w = 5},
      {.N = 1, .C = 64, .H = 1, .W = 28, .K = 1, .R = 1, .S = 11, .pad_h = 0, .pad_w = 5},
      {.N = 1, .C = 2, .H = 6, .W = 9, .K = 3, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1},
      {.N = 1, .C = 1, .H = 5, .W = 8, .K = 2, .R = 2, .S = 7, .pad_h = 0, .pad_w = 3},
      {.N = 1, .C = 1, .H = 1, .W = 1, .K = 1, .R = 1, .S = 1},
  };
  std::mt19937 random(30);
  while (problems.size() < 48) {
    ConvProblem c{
        .N = pick(random, 1, 2), .C = pick(random, 1, 6), .K = pick(random, 1, 12), .R = pick(random, 1, 11)};
    c.S = 2 * pick(random, 0, 5) + 1;
    if (c.S == 1) c.R = 1;
    c.H = pick(random, 1, 12);
    c.W = pick(random, 1, 40);
    c.pad_h = c.R == 1 ? 0 : pick(random, 0, c.R - 1);
    c.pad_w = c.R == 1 && c.S == 1 ? 0 : pick(random, 0, c.S - 1);
    const int64_t work = c.R * c.S * c.N * (c.C + 2 * c.K);  // of a block, fprop once and dgrad twice
    if (c.P() >= 1 && c.Q() >= 1 && work <= 300) problems.push_back(c);
  }
  return problems;
}

const ConvProblem kStrided[] = {
    {.N = 2, .C = 3, .H = 11, .W = 14, .K = 4, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1, .stride = 2},
    {.N = 1, .C = 2, .H = 10, .W = 9, .K = 3, .R = 2, .S = 5, .pad_h = 0, .pad_w = 4, .stride = 2},
    {.N = 1, .C = 2, .H = 13, .W = 7, .K = 2, .R = 5, .S = 1, .pad_h = 3, .pad_w = 0, .stride = 3},
    {.N = 1, .C = 2, .H = 5, .W = 4, .K = 2, .R = 1, .S = 2, .pad_h = 2, .pad_w = 3, .stride = 4},
    {.N = 1, .C = 1, .H = 5, .W = 9, .K = 2, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1, .stride = 2},
};

/// Many terms a sum, and sums split over blocks.
const ConvProblem kLong[] = {
    {.N = 1, .C = 16, .H = 12, .W = 14, .K = 4, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4},
    {.N = 1, .C = 3, .H = 30, .W = 32, .K = 4, .R = 11, .S = 11, .pad_h = 5, .pad_w = 5},
    {.N = 2, .C = 130, .H = 10, .W = 14, .K = 20, .R = 1, .S = 1},
};

ConvRun run_of(Direction direction) {
  return {.direction = direction};
}

}  // namespace

TEST_CASE("cuda conv2d: exact on integers") {
  CudaDevice cuda;
  Runs runs;
  uint64_t seed = 0;
  const auto problems = stride_one();
  for (const ConvProblem& problem : problems) check_exact(cuda, problem, ++seed, runs);
  CHECK(runs["cuda.direct fprop"] + runs["cuda.gemm fprop"] == static_cast<int>(problems.size()));
  for (const ConvProblem& problem : kStrided) check_exact(cuda, problem, ++seed, runs);
  CHECK(runs["cuda.reference fprop"] == static_cast<int>(problems.size() / 3 + std::size(kStrided)));
  for (const std::string row : {"cuda.direct", "cuda.gemm", "cuda.reference"}) {
    for (const std::string run : {" fprop", " dgrad", " dgrad add", " wgrad", " wgrad add"}) {
      CAPTURE(row, run);
      CHECK(runs[row + run] >= 4);
    }
  }
}

TEST_CASE("cuda conv2d: no plan of the direct kernels takes more shared memory than a device has") {
  size_t most = 0;
  int over = 0;
  const auto sizes = {1, 2, 3, 16, 32, 33, 63, 64, 65, 128, 300};
  for (const int64_t S : {3, 5, 7, 9, 11}) {
    for (int64_t R = 1; R <= 11; ++R) {
      for (const int64_t C : sizes) {
        for (const int64_t K : sizes) {
          for (const int64_t W : {1, 4, 12, 16, 20, 24, 28, 46, 56, 368}) {
            const ConvProblem c{.C = C, .H = W, .W = W, .K = K, .R = R, .S = S, .pad_h = R, .pad_w = S / 2};
            for (const size_t bytes : {kernels::cuda::plan_correlation(c, Direction::Fprop).shared_bytes(),
                                       kernels::cuda::plan_correlation(c, Direction::Dgrad).shared_bytes(),
                                       kernels::cuda::plan_weight_gradient(c).shared_bytes()}) {
              most = std::max(most, bytes);
              over += bytes > kernels::cuda::kMostSharedBytes;
            }
          }
        }
      }
    }
  }
  CHECK(over == 0);
  CHECK(most == kernels::cuda::kMostSharedBytes);  // some plans need just that
}

TEST_CASE("cuda conv2d: the exact shapes take every tile and instantiation of the direct kernels") {
  std::set<std::tuple<int, int, bool>> tiles;          // k_warps, tile_cols, split
  std::set<std::tuple<int64_t, int, bool>> gradients;  // S, k_warps, split
  std::set<int64_t> widths;
  for (const ConvProblem& problem : stride_one()) {
    if (problem.S == 1) continue;
    const auto fprop = kernels::cuda::plan_correlation(problem, Direction::Fprop);
    const auto wgrad = kernels::cuda::plan_weight_gradient(problem);
    tiles.insert({fprop.k_warps, fprop.tile_cols, fprop.parts > 1});
    gradients.insert({problem.S, wgrad.k_warps, wgrad.parts > 1});
    widths.insert(problem.S);
  }
  CHECK(widths.size() == 5);
  for (const int k_warps : {8, 4, 2, 1}) {
    for (const int tile_cols : {32, 16}) {
      CAPTURE(k_warps, tile_cols);
      CHECK(tiles.count({k_warps, tile_cols, false}) + tiles.count({k_warps, tile_cols, true}) > 0);
    }
  }
  for (const int64_t S : {3, 5, 7, 9, 11}) {
    CAPTURE(S);
    CHECK(gradients.count({S, 4, true}) + gradients.count({S, 8, true}) > 0);
    CHECK(gradients.count({S, 4, false}) + gradients.count({S, 8, false}) > 0);
  }
}

TEST_CASE("cuda conv2d: rounding, the same bits again, and the fused ReLU") {
  CudaDevice cuda;
  Cpu cpu;
  for (const ConvProblem& problem : kLong) {
    auto data = tests::random_data<float>(problem, 3);
    DeviceConvData on_device(cuda, data);
    for (const Direction direction : kDirections) {
      const std::vector<double> expected = naive_conv(data, direction, true);
      const int64_t terms = direction == Direction::Fprop   ? problem.C * problem.R * problem.S
                            : direction == Direction::Dgrad ? problem.K * problem.R * problem.S
                                                            : problem.N * problem.P() * problem.Q();
      for_each_row(cuda, problem, direction, [&](const ConvRow<float>& row) {
        if (std::string(row.name) == "cuda.reference") return;
        const std::vector<float> got = device_run(cuda, row, run_of(direction), on_device);
        CHECK(relative_error(got, expected) <= std::max(1e-6, 3e-8 * std::sqrt(static_cast<double>(terms))));
        if (direction != Direction::Fprop) {
          CHECK(same_bits(device_run(cuda, row, run_of(direction), on_device), got));
          return;
        }
        std::vector<float> positive = got;
        kernels::relu_kernels<float>(Backend::Cpu)
            .forward(cpu.exec, problem.y_size(), positive.data(), positive.data());
        ConvRun fused = run_of(direction);
        fused.relu = true;
        CHECK(same_bits(device_run(cuda, row, fused, on_device), positive));
      });
    }
  }
}

TEST_CASE("cuda conv2d: a fused ReLU keeps NaN") {
  CudaDevice cuda;
  for (const int64_t width : {1, 3}) {
    const ConvProblem problem{.C = 2, .H = 5, .W = 5, .K = 3, .R = width, .S = width};
    auto data = tests::random_data<float>(problem, 4);
    data.x[0] = std::nanf("");
    DeviceConvData on_device(cuda, data);
    ConvRun run{.relu = true, .nans = true};
    for_each_row(cuda, problem, Direction::Fprop, [&](const ConvRow<float>& row) {
      const std::vector<float> y = device_run(cuda, row, run, on_device);
      CHECK(std::isnan(y[0]));
      CHECK(y.back() >= 0.0f);
    });
  }
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

TEST_CASE("cuda conv2d: a device gets rows of its own, which say why they decline") {
  CudaDevice cuda;
  const ConvProblem plain{.C = 2, .H = 8, .W = 8, .K = 2, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1};
  ConvProblem strided = plain, even = plain, dot = plain;
  strided.stride = 2;
  even.S = 4;
  dot.R = dot.S = 1;
  dot.pad_h = dot.pad_w = 0;
  const auto chosen = [&](const ConvProblem& problem, Direction direction) {
    return std::string(choose_conv_row<float>(cuda.exec, problem, direction).name);
  };
  for (const Direction direction : kDirections) {
    CHECK(chosen(plain, direction) == "cuda.direct");
    CHECK(chosen(dot, direction) == "cuda.gemm");
    CHECK(chosen(strided, direction) == "cuda.reference");
    CHECK(chosen(even, direction) == "cuda.reference");
    CHECK_THROWS(choose_conv_row<double>(cuda.exec, plain, direction));
    const auto& direct = conv_row("cuda.direct");
    CHECK(direct.supports(cuda.exec, strided, direction) == "stride 2, only stride 1 is done");
    CHECK(direct.supports(cuda.exec, even, direction) ==
          "a 3x4 kernel, only odd widths from 3 to 11 and heights up to 11 are done");
    CHECK(conv_row("cuda.gemm").supports(cuda.exec, plain, direction) ==
          "only 1x1 kernels at stride 1 without padding are matrix products");
    CHECK(conv_row("cuda.gemm").supports(cuda.exec, {.H = 1 << 16, .W = 1 << 15}, direction) ==
          "a size is 2^31 or more");
  }
}
