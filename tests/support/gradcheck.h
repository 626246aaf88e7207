// Gradients against central differences in double, through the tape. Seen as a function of one tensor alone
// each operation is affine or piecewise affine (conv2d in its weight or its input, relu, pooling, concat), so
// a squared-error loss is piecewise quadratic and central differences have no truncation error at all: the
// step is only small to cross few kinks, and large against rounding. Where a kink is crossed (a ReLU
// switched, a maximum moved between the two points) the difference says nothing; those directions are seen by
// a fingerprint of all switches, counted and left out.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/autograd/tape.h"
#include "engine/nn/parameters.h"
#include "engine/ops/ops.h"
#include "engine/runtime/random.h"
#include "engine/tune/conv_plan.h"
#include "tests/support/cpu_kernels.h"

namespace tests {

/// Threads, memory and a plan for ops. Blocks are NaN until written and lie between guard bands.
struct Engine {
  Cpu cpu;
  engine::Arena arena;
  engine::ConvPlan plan;
  engine::Context context;

  explicit Engine(int threads = 2, engine::Arena::Options options = {.guards = true})
      : cpu(threads), arena(options), context{cpu.exec, &arena, &plan} {}
};

/// A fingerprint of which side of its kinks a run was on.
class Kinks {
 public:
  /// The signs of a ReLU's output.
  void relu(const engine::Tensor& y) {
    for (const double value : y.span<double>()) add(value > 0 ? 1 : 0);
  }
  /// The places of the maxima of a max pooling of `x`.
  void max_pool(const engine::Tensor& x, const engine::ops::Pool2dOptions& options) {
    const auto& s = x.shape();
    const kernels::PoolProblem pool{s[0] * s[1],     s[2], s[3], options.kernel, options.stride, options.pad,
                                    options.rounding};
    const double* plane = x.data<double>();
    for (int64_t i = 0; i < pool.planes; ++i, plane += pool.H * pool.W) {
      for (int64_t p = 0; p < pool.P(); ++p) {
        for (int64_t q = 0; q < pool.Q(); ++q) add(place_of_maximum(pool, plane, p, q));
      }
    }
  }
  bool operator==(const Kinks&) const = default;

 private:
  void add(int64_t value) { hash_ = (hash_ ^ static_cast<uint64_t>(value)) * 0x100000001B3; }

  static int64_t place_of_maximum(const kernels::PoolProblem& pool, const double* plane, int64_t p,
                                  int64_t q) {
    int64_t best = -1;
    for (int64_t r = 0; r < pool.kernel; ++r) {
      for (int64_t s = 0; s < pool.kernel; ++s) {
        const int64_t h = p * pool.stride - pool.pad + r, w = q * pool.stride - pool.pad + s;
        if (h < 0 || h >= pool.H || w < 0 || w >= pool.W) continue;
        if (best < 0 || plane[h * pool.W + w] > plane[best]) best = h * pool.W + w;
      }
    }
    return best;
  }

  uint64_t hash_ = 0xCBF29CE484222325;
};

/// Losses at one point (their sum, or single ones, may be differentiated) and where it lies.
struct Evaluation {
  std::vector<double> losses;
  Kinks kinks;
};

struct GradcheckResult {
  int checked = 0, skipped = 0;
};

/// A tensor under test and, for each loss to be checked, its gradient from the tape.
struct Checked {
  std::string name;
  engine::Tensor value;
  std::vector<std::vector<double>> gradients;
};

/// Moves `value` along random unit vectors, `directions` of them, and compares the change of each loss with
/// the gradient: |numeric - analytic| <= 1e-7 |gradient|. Leaves `value` as it was.
inline GradcheckResult check_directions(const Checked& checked, int directions, double step,
                                        const std::function<Evaluation()>& evaluate) {
  GradcheckResult result;
  const auto value = checked.value.span<double>();
  const std::vector<double> at(value.begin(), value.end());
  for (int i = 0; i < directions; ++i) {
    engine::Random random(17, engine::RandomStream::Test, static_cast<uint64_t>(i));
    std::vector<double> direction(at.size());
    double squares = 0;
    for (double& d : direction) {
      d = random.normal();
      squares += d * d;
    }
    for (double& d : direction) d /= std::sqrt(squares);
    const auto evaluate_at = [&](double distance) {
      for (size_t j = 0; j < at.size(); ++j) value[j] = at[j] + distance * direction[j];
      return evaluate();
    };
    const Evaluation above = evaluate_at(step), below = evaluate_at(-step);
    if (!(above.kinks == below.kinks)) {
      ++result.skipped;
      continue;
    }
    ++result.checked;
    for (size_t loss = 0; loss < checked.gradients.size(); ++loss) {
      double analytic = 0, norm = 0;
      for (size_t j = 0; j < at.size(); ++j) {
        analytic += checked.gradients[loss][j] * direction[j];
        norm += checked.gradients[loss][j] * checked.gradients[loss][j];
      }
      norm = std::sqrt(norm);
      const double numeric = (above.losses[loss] - below.losses[loss]) / (2 * step);
      CAPTURE(checked.name, loss, i, numeric, analytic, norm);
      CHECK(std::fabs(numeric - analytic) <= 1e-7 * norm);
    }
  }
  std::copy(at.begin(), at.end(), value.begin());
  return result;
}

}  // namespace tests
