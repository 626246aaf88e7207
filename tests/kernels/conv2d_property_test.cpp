// Random data: adjointness, rounding error, the same bits for any number of threads, gradient modes,
// refusals.
#include <cmath>

#include "kernels/relu/relu.h"
#include "tests/support/conv2d_cases.h"
#include "tests/support/cpu_kernels.h"

using kernels::ConvProblem;
using kernels::ConvRow;
using kernels::Direction;
using kernels::GradMode;
using kernels::Isa;

namespace {

/// Layers like the network's: first layer, wide, features into a later stage, 1x1 (one with more channels
/// than cpu.gemm adds up at a time), and narrow with a batch.
const ConvProblem kLayers[] = {
    {.N = 1, .C = 3, .H = 72, .W = 76, .K = 40, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4},
    {.N = 1, .C = 128, .H = 23, .W = 23, .K = 24, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4},
    {.N = 2, .C = 48, .H = 14, .W = 23, .K = 32, .R = 11, .S = 11, .pad_h = 5, .pad_w = 5},
    {.N = 1, .C = 128, .H = 46, .W = 46, .K = 32, .R = 1, .S = 1},
    {.N = 2, .C = 600, .H = 9, .W = 7, .K = 37, .R = 1, .S = 1},
    {.N = 8, .C = 16, .H = 16, .W = 16, .K = 15, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4},
};

template <class T>
double dot(const std::vector<T>& a, const std::vector<T>& b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

/// Calls body(row, exec, description) for every row that does the problem and every instruction set of this
/// machine; the reference, plain loops, once.
template <class T, class Body>
void for_each_row(kernels::ThreadPool& threads, const ConvProblem& problem, const Body& body) {
  for (const ConvRow<T>& row : kernels::conv_rows<T>()) {
    for (const Isa isa : tests::available_isas()) {
      const kernels::Exec exec{.threads = &threads, .isa = isa};
      const std::string name(row.name);
      if (row.backend != exec.backend || (name == "cpu.reference" && isa != Isa::Portable)) continue;
      if (!row.supports(exec, problem, Direction::Fprop).empty()) continue;
      body(row, exec, name + " " + isa_name(isa));
    }
  }
}

/// <dy, fprop(x, w)> = <dgrad(dy, w), x> = <wgrad(x, dy), w>, relative to |dy| |y|.
template <class T>
void check_adjoint(const ConvProblem& problem, double bound) {
  kernels::ThreadPool threads(2);
  const auto data = tests::random_data<T>(problem, 7);
  for_each_row<T>(
      threads, problem, [&](const ConvRow<T>& row, const kernels::Exec& exec, const std::string& name) {
        INFO(name << " " << to_string(problem));
        const auto y = guarded_run(row, {.exec = exec, .direction = Direction::Fprop, .bias = false}, data);
        const auto dx = guarded_run(row, {.exec = exec, .direction = Direction::Dgrad}, data);
        const auto dw = guarded_run(row, {.exec = exec, .direction = Direction::Wgrad}, data);
        const double scale = std::sqrt(dot(data.dy, data.dy) * dot(y, y));
        CHECK(std::abs(dot(data.dy, y) - dot(dx, data.x)) <= bound * scale);
        CHECK(std::abs(dot(data.dy, y) - dot(dw, data.w)) <= bound * scale);
      });
}

}  // namespace

TEST_CASE("the three directions of a convolution are adjoint") {
  const ConvProblem point{.N = 2, .C = 300, .H = 13, .W = 21, .K = 19, .R = 1, .S = 1};
  check_adjoint<float>(point, 1e-6);
  const ConvProblem problem{.N = 2, .C = 5, .H = 13, .W = 21, .K = 9, .R = 4, .S = 7, .pad_h = 1, .pad_w = 3};
  check_adjoint<float>(problem, 1e-6);
  check_adjoint<double>(problem, 1e-14);
}

TEST_CASE("float convolutions are within 1e-6 of double ones") {
  kernels::ThreadPool threads(2);
  for (const ConvProblem& problem : kLayers) {
    const auto data = tests::random_data<float>(problem, 3);
    tests::ConvData<double> wide{.problem = problem};
    wide.x.assign(data.x.begin(), data.x.end());
    wide.w.assign(data.w.begin(), data.w.end());
    wide.b.assign(data.b.begin(), data.b.end());
    wide.dy.assign(data.dy.begin(), data.dy.end());
    wide.old_dx.resize(data.x.size());
    wide.old_dw.resize(data.w.size());
    for (const Direction direction : tests::kDirections) {
      const ConvRow<double>& oracle = kernels::conv_rows<double>().back();
      const auto expected =
          guarded_run(oracle, {.exec = {.threads = &threads}, .direction = direction}, wide);
      for_each_row<float>(threads, problem,
                          [&](const ConvRow<float>& row, const kernels::Exec& exec, const std::string& name) {
                            INFO(name << " " << direction_name(direction) << " " << to_string(problem));
                            const auto got = guarded_run(row, {.exec = exec, .direction = direction}, data);
                            CHECK(tests::relative_error(got, expected) <= 1e-6);
                          });
    }
  }
}

TEST_CASE("convolutions give the same bits for any number of threads") {
  kernels::ThreadPool one(1), two(2), three(3);
  for (const ConvProblem& problem : kLayers) {
    const auto data = tests::random_data<float>(problem, 5);
    for (const Direction direction : tests::kDirections) {
      for_each_row<float>(one, problem,
                          [&](const ConvRow<float>& row, const kernels::Exec& exec, const std::string& name) {
                            INFO(name << " " << direction_name(direction) << " " << to_string(problem));
                            tests::ConvRun run{.exec = exec, .direction = direction};
                            const auto expected = guarded_run(row, run, data);
                            for (kernels::ThreadPool* pool : {&two, &three}) {
                              run.exec.threads = pool;
                              CHECK((guarded_run(row, run, data) == expected));
                            }
                          });
    }
  }
}

TEST_CASE("an ignored gradient is not written") {
  kernels::ThreadPool threads(2);
  const ConvProblem problem{.N = 2, .C = 3, .H = 9, .W = 17, .K = 5, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1};
  const auto data = tests::random_data<float>(problem, 5);
  for_each_row<float>(
      threads, problem, [&](const ConvRow<float>& row, const kernels::Exec& exec, const std::string& name) {
        INFO(name);
        for (const Direction direction : {Direction::Dgrad, Direction::Wgrad}) {
          guarded_run(row, {.exec = exec, .direction = direction, .mode = GradMode::Ignore}, data);
        }
      });
}

TEST_CASE("a fused ReLU gives the bits of one that follows") {
  kernels::ThreadPool threads(2);
  for (const ConvProblem& problem : kLayers) {
    auto data = tests::random_data<float>(problem, 9);
    data.x[data.x.size() / 2] = std::nanf("");
    for_each_row<float>(threads, problem,
                        [&](const ConvRow<float>& row, const kernels::Exec& exec, const std::string& name) {
                          INFO(name << " " << to_string(problem));
                          tests::ConvRun run{.exec = exec};
                          run.nans = true;
                          std::vector<float> expected = guarded_run(row, run, data);
                          kernels::relu_kernels<float>(exec.backend)
                              .forward(exec, problem.y_size(), expected.data(), expected.data());
                          run.relu = true;
                          CHECK(tests::same_bits(guarded_run(row, run, data), expected));
                        });
  }
}

TEST_CASE("the convolution lists end with the reference, and rows say why they decline") {
  kernels::ThreadPool threads(1);
  const kernels::Exec exec{.threads = &threads, .isa = kernels::best_isa()};
  CHECK(std::string(kernels::conv_rows<float>().front().name) == "cpu.direct");
  CHECK(std::string(kernels::conv_rows<double>().back().name) == "cpu.reference");

  const ConvProblem plain{.C = 2, .H = 8, .W = 8, .K = 2, .R = 3, .S = 3, .pad_h = 1, .pad_w = 1};
  ConvProblem strided = plain, padded = plain;
  strided.stride = 2;
  padded.pad_w = 3;
  for (const Direction direction : tests::kDirections) {
    const auto& direct = kernels::conv_rows<float>().front();
    CHECK(direct.supports(exec, plain, direction).empty());
    CHECK(direct.supports(exec, strided, direction) == "stride 2, only stride 1 is done");
    CHECK(direct.supports(exec, padded, direction) == "padding 1x3 is wider than the kernel less one");
    CHECK(std::string(choose_conv_row<float>(exec, plain, direction).name) == "cpu.direct");
    CHECK(std::string(choose_conv_row<float>(exec, strided, direction).name) == "cpu.reference");
  }
}

TEST_CASE("a convolution problem prints its sizes") {
  ConvProblem c{.N = 1, .C = 128, .H = 184, .W = 184, .K = 128, .R = 9, .S = 9, .pad_h = 4, .pad_w = 4};
  CHECK(to_string(c) == "n1 c128 184x184 -> k128, 9x9 pad 4");
  CHECK(c.macs() == 44930433024.0);
  c.pad_h = c.pad_w = 0;
  CHECK(to_string(c) == "n1 c128 184x184 -> k128, 9x9");
  c.pad_w = 3;
  c.stride = 2;
  CHECK(to_string(c) == "n1 c128 184x184 -> k128, 9x9 pad 0x3 stride 2");
}
