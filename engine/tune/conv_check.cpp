#include "engine/tune/conv_check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/runtime/random.h"
#include "engine/tune/conv_data.h"

namespace engine {

using kernels::ConvOperands;
using kernels::ConvProblem;
using kernels::Direction;

namespace {

double product(float a, float b) {
  return static_cast<double>(a) * static_cast<double>(b);
}

/// y[n,k,p,q].
double fprop_at(const ConvProblem& c, const ConvOperands<float>& t, int64_t place) {
  const int64_t q = place % c.Q(), p = place / c.Q() % c.P(), k = place / (c.Q() * c.P()) % c.K;
  const int64_t n = place / (c.Q() * c.P() * c.K);
  double sum = static_cast<double>(t.b[k]);
  for (int64_t channel = 0; channel < c.C; ++channel) {
    for (int64_t r = 0; r < c.R; ++r) {
      const int64_t h = p * c.stride - c.pad_h + r;
      if (h < 0 || h >= c.H) continue;
      for (int64_t s = 0; s < c.S; ++s) {
        const int64_t w = q * c.stride - c.pad_w + s;
        if (w < 0 || w >= c.W) continue;
        sum += product(t.x[((n * c.C + channel) * c.H + h) * c.W + w],
                       t.w[((k * c.C + channel) * c.R + r) * c.S + s]);
      }
    }
  }
  return sum;
}

/// dx[n,channel,h,w].
double dgrad_at(const ConvProblem& c, const ConvOperands<float>& t, int64_t place) {
  const int64_t w = place % c.W, h = place / c.W % c.H, channel = place / (c.W * c.H) % c.C;
  const int64_t n = place / (c.W * c.H * c.C);
  double sum = 0;
  for (int64_t k = 0; k < c.K; ++k) {
    for (int64_t r = 0; r < c.R; ++r) {
      const int64_t row = h + c.pad_h - r;  // p stride
      if (row < 0 || row % c.stride != 0 || row / c.stride >= c.P()) continue;
      for (int64_t s = 0; s < c.S; ++s) {
        const int64_t column = w + c.pad_w - s;  // q stride
        if (column < 0 || column % c.stride != 0 || column / c.stride >= c.Q()) continue;
        sum += product(t.dy[((n * c.K + k) * c.P() + row / c.stride) * c.Q() + column / c.stride],
                       t.w[((k * c.C + channel) * c.R + r) * c.S + s]);
      }
    }
  }
  return sum;
}

/// dw[k,channel,r,s].
double wgrad_at(const ConvProblem& c, const ConvOperands<float>& t, int64_t place) {
  const int64_t s = place % c.S, r = place / c.S % c.R, channel = place / (c.S * c.R) % c.C;
  const int64_t k = place / (c.S * c.R * c.C);
  double sum = 0;
  for (int64_t n = 0; n < c.N; ++n) {
    for (int64_t p = 0; p < c.P(); ++p) {
      const int64_t h = p * c.stride - c.pad_h + r;
      if (h < 0 || h >= c.H) continue;
      const float* const dy_row = t.dy + ((n * c.K + k) * c.P() + p) * c.Q();
      const float* const x_row = t.x + ((n * c.C + channel) * c.H + h) * c.W;
      for (int64_t q = 0; q < c.Q(); ++q) {
        const int64_t w = q * c.stride - c.pad_w + s;
        if (w >= 0 && w < c.W) sum += product(dy_row[q], x_row[w]);
      }
    }
  }
  return sum;
}

double terms(const ConvProblem& c, Direction direction) {
  const int64_t taps = c.R * c.S;
  return static_cast<double>(direction == Direction::Fprop   ? c.C * taps
                             : direction == Direction::Dgrad ? c.K * taps
                                                             : c.N * c.P() * c.Q());
}

std::vector<int64_t> choose_places(int64_t size, uint64_t seed) {
  std::vector<int64_t> places(static_cast<size_t>(std::min(size, ConvCheck::kSamples)));
  std::iota(places.begin(), places.end(), int64_t{0});
  if (size <= ConvCheck::kSamples) return places;
  Random random(seed, RandomStream::Test, 0);
  for (int64_t& place : places) {
    place = static_cast<int64_t>(random.uniform() * static_cast<double>(size));
  }
  return places;
}

}  // namespace

ConvCheck::ConvCheck(kernels::ThreadPool& threads, const ConvProblem& problem, Direction direction,
                     const ConvOperands<float>& host, uint64_t seed)
    : places_(choose_places(output_size(problem, direction), seed)),
      expected_(places_.size()),
      bound_(std::max(1e-6, 3e-8 * std::sqrt(terms(problem, direction)))) {
  const auto at = direction == Direction::Fprop   ? fprop_at
                  : direction == Direction::Dgrad ? dgrad_at
                                                  : wgrad_at;
  kernels::parallel_chunks(threads, static_cast<int64_t>(places_.size()), 16,
                           [&](int64_t begin, int64_t end) {
                             for (int64_t i = begin; i < end; ++i)
                               expected_[i] = at(problem, host, places_[i]);
                           });
}

double ConvCheck::error(std::span<const float> output) const {
  if (!std::all_of(output.begin(), output.end(), [](float value) { return std::isfinite(value); })) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  double difference = 0, norm = 0;
  for (size_t i = 0; i < places_.size(); ++i) {
    const double want = expected_[i], got = static_cast<double>(output[places_[i]]);
    difference += (got - want) * (got - want);
    norm += want * want;
  }
  return std::sqrt(difference) / std::max(std::sqrt(norm), std::numeric_limits<double>::min());
}

}  // namespace engine
