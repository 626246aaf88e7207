// Integer data: every row, instruction set, direction and gradient mode must give the oracle's very numbers;
// those of cpu.fft, which computes with sines, must be less than 0.01 from them.
#include <algorithm>
#include <map>
#include <utility>

#include "tests/support/conv2d_cases.h"

using kernels::ConvProblem;
using kernels::Direction;
using kernels::Exec;
using kernels::GradMode;
using kernels::Isa;

namespace {

/// Checks all rows on one problem; returns how often each row ran.
template <class T>
void check_problem(const ConvProblem& problem, uint64_t seed, kernels::ThreadPool& threads,
                   std::map<std::string, int>& runs) {
  const auto data = tests::integer_data<T>(problem, seed);
  for (const Direction direction : tests::kDirections) {
    const bool bias = direction == Direction::Fprop && seed % 2 == 0;
    const std::vector<double> expected = tests::naive_conv(data, direction, bias);
    const std::vector<T>& old = direction == Direction::Dgrad ? data.old_dx : data.old_dw;
    for (const Isa isa : tests::available_isas()) {
      for (const auto& row : kernels::conv_rows<T>()) {
        tests::ConvRun run{.exec = {.threads = &threads, .isa = isa}, .direction = direction, .bias = bias};
        INFO(row.name << " " << isa_name(isa) << " " << direction_name(direction) << " "
                      << to_string(problem));
        if (row.backend != run.exec.backend || !row.supports(run.exec, problem, direction).empty()) continue;
        const bool reference = std::string(row.name) == "cpu.reference";
        if (reference && isa != Isa::Portable) continue;  // plain loops do not look at the instruction set
        ++runs[row.name];
        const auto output = [&] {
          const auto values = guarded_run(row, run, data);
          return std::string(row.name) == "cpu.fft" ? tests::rounded(values) : values;
        };
        CHECK(tests::differing<T>(output(), expected, nullptr) == 0);
        if (direction == Direction::Fprop) continue;
        run.mode = GradMode::Accumulate;
        CHECK(tests::differing<T>(output(), expected, &old) == 0);
      }
    }
  }
}

}  // namespace

TEST_CASE("convolution rows are exact on integers at stride 1") {
  kernels::ThreadPool threads(2);
  std::map<std::string, int> runs;
  const auto problems = tests::stride_one_problems();
  REQUIRE(problems.size() >= 500);
  uint64_t seed = 0;
  for (const ConvProblem& problem : problems) check_problem<float>(problem, ++seed, threads, runs);
  const int wanted = static_cast<int>(problems.size()) * 3;
  CHECK(runs["cpu.reference"] == wanted);
  const int isas = static_cast<int>(tests::available_isas().size());
  for (const char* row : {"cpu.direct", "cpu.fft"}) CHECK(runs[row] == wanted * isas);
  const auto points = std::count_if(problems.begin(), problems.end(), [](const ConvProblem& p) {
    return p.R == 1 && p.S == 1;  // cpu.gemm's
  });
  REQUIRE(points >= 20);
  CHECK(runs["cpu.gemm"] == static_cast<int>(points) * 3 * isas);
  CHECK(runs["cpu.outer"] == static_cast<int>(problems.size()) * isas);  // wgrad alone
}

TEST_CASE("dgrad and wgrad in one call are exact on integers, and the same bits for any number of threads") {
  kernels::ThreadPool one(1), three(3);
  int runs = 0;
  uint64_t seed = 1000;
  for (const ConvProblem& problem : tests::stride_one_problems()) {
    const auto data = tests::integer_data<float>(problem, ++seed);
    const auto dx = tests::naive_conv(data, Direction::Dgrad, false);
    const auto dw = tests::naive_conv(data, Direction::Wgrad, false);
    for (const Isa isa : tests::available_isas()) {
      for (const auto& row : kernels::conv_rows<float>()) {
        if (row.backward == nullptr) continue;
        INFO(row.name << " " << isa_name(isa) << " " << to_string(problem));
        ++runs;
        const bool add = seed % 2 == 0;
        tests::ConvRun run{.exec = {.threads = &one, .isa = isa},
                           .mode = add ? GradMode::Accumulate : GradMode::Overwrite};
        const auto got = guarded_backward(row, run, data);
        CHECK(tests::differing(tests::rounded(got.first), dx, add ? &data.old_dx : nullptr) == 0);
        CHECK(tests::differing(tests::rounded(got.second), dw, add ? &data.old_dw : nullptr) == 0);
        run.exec.threads = &three;
        CHECK((guarded_backward(row, run, data) == got));
      }
    }
  }
  CHECK(runs >= 500 * static_cast<int>(tests::available_isas().size()));
}

TEST_CASE("convolution rows are exact on batches larger than their scratch memory") {
  kernels::ThreadPool threads(2);
  std::map<std::string, int> runs;
  const ConvProblem wide_x{.N = 4, .C = 32, .H = 150, .W = 150, .K = 1, .R = 2, .S = 1, .pad_h = 1};
  ConvProblem wide_y = wide_x;
  std::swap(wide_y.C, wide_y.K);
  check_problem<float>(wide_x, 41, threads, runs);
  check_problem<float>(wide_y, 42, threads, runs);
  // Two of the four images at a time, and not a third.
  const kernels::Exec exec{.threads = &threads, .isa = kernels::best_isa()};
  const auto& direct = kernels::conv_rows<float>().front();
  const size_t image = 32 * 151 * 150 * sizeof(float);
  CHECK(direct.workspace(exec, wide_x, Direction::Wgrad) > 2 * image);
  CHECK(direct.workspace(exec, wide_x, Direction::Wgrad) < 3 * image);
}

TEST_CASE("convolution rows are exact on integers in double") {
  kernels::ThreadPool threads(2);
  std::map<std::string, int> runs;
  const auto problems = tests::stride_one_problems();
  for (size_t i = 0; i < problems.size(); i += 10) check_problem<double>(problems[i], i, threads, runs);
  CHECK(runs["cpu.reference"] == static_cast<int>((problems.size() + 9) / 10) * 3);
}

TEST_CASE("the reference is exact at other strides and wide paddings") {
  kernels::ThreadPool threads(2);
  std::map<std::string, int> runs;
  const ConvProblem problems[] = {
      {.N = 2, .C = 3, .H = 11, .W = 14, .K = 4, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1, .stride = 2},
      {.N = 1, .C = 2, .H = 10, .W = 9, .K = 3, .R = 2, .S = 5, .pad_h = 0, .pad_w = 4, .stride = 2},
      {.N = 1, .C = 2, .H = 13, .W = 7, .K = 2, .R = 5, .S = 1, .pad_h = 3, .pad_w = 0, .stride = 3},
      {.N = 1, .C = 2, .H = 5, .W = 4, .K = 2, .R = 1, .S = 2, .pad_h = 2, .pad_w = 3, .stride = 4},
      {.N = 1, .C = 2, .H = 5, .W = 6, .K = 3, .R = 2, .S = 3, .pad_h = 3, .pad_w = 5},
  };
  uint64_t seed = 100;
  for (const ConvProblem& problem : problems) check_problem<float>(problem, ++seed, threads, runs);
  CHECK(runs["cpu.reference"] == 15);
  CHECK(runs["cpu.direct"] == 0);
}
