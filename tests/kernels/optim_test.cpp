// Optimiser steps against PyTorch's results and against the textbook recurrences in long double.
#include "kernels/optim/optim.h"

#include <limits>

#include "kernels/base/error.h"
#include "tests/support/cpu_kernels.h"

namespace {

using kernels::AdamStep;
using kernels::Backend;
using kernels::SgdStep;
using namespace tests;

constexpr int kSteps = 5;
constexpr size_t kWeights = 5;
const std::vector<double> kStart = {0.1, -0.2, 0.3, 1.5, -2.0};
const std::vector<double> kGradients[kSteps] = {{0.5, -1.25, 3e-4, 0.0, 2.0},
                                                {0.25, -1.0, -2e-4, 0.5, -1.5},
                                                {-0.75, 0.125, 1e-4, -0.25, 0.3},
                                                {1.5, -0.5, 0.0, 0.1, 0.7},
                                                {-0.1, 2.5, 5e-5, -3.0, -0.9}};

// PyTorch 2.14 on the CPU, weights and gradients as above in each dtype, foreach=False, after five step()
// calls. torch.optim.Adam(p, lr=1e-2)
const std::vector<float> kAdam32 = {0x1.2c829ep-4F, -0x1.559968p-3F, 0x1.1f983ap-2F, 0x1.7e084cp+0F,
                                    -0x1.01f948p+1F};
const std::vector<double> kAdam64 = {0x1.2c829db6d104fp-4, -0x1.5599670705a5ep-3, 0x1.1f98380f78013p-2,
                                     0x1.7e084d713835ep+0, -0x1.01f9482a45ca6p+1};
// torch.optim.Adam(p, lr=1e-2, betas=(0.4, 0.95), eps=1e-6, weight_decay=0.1)
const std::vector<float> kDecayed32 = {0x1.3914c8p-4F, -0x1.736ca2p-3F, 0x1.011b1ap-2F, 0x1.7b9ab8p+0F,
                                       -0x1.003b40p+1F};
const std::vector<double> kDecayed64 = {0x1.3914c99182823p-4, -0x1.736ca1e3c3d11p-3, 0x1.011b178259e71p-2,
                                        0x1.7b9ab8a8b5955p+0, -0x1.003b3f50709dcp+1};
// torch.optim.SGD(p, lr=0.1)
const std::vector<float> kSgd32 = {-0x1.47ae14p-5F, -0x1.8p-3F, 0x1.332ca4p-2F, 0x1.c3d70ap+0F,
                                   -0x1.07ae14p+1F};
const std::vector<double> kSgd64 = {-0x1.47ae147ae147bp-5, -0x1.8p-3, 0x1.332ca57a786c3p-2,
                                    0x1.c3d70a3d70a3dp+0, -0x1.07ae147ae147bp+1};
// torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01)
const std::vector<float> kMomentum32 = {-0x1.4e79d8p-4F, 0x1.1271e8p-3F, 0x1.3123b2p-2F, 0x1.942218p+0F,
                                        -0x1.199aeep+1F};
const std::vector<double> kMomentum64 = {-0x1.4e79d86c6ea29p-4, 0x1.1271ebff569c8p-3, 0x1.3123b11d08ae6p-2,
                                         0x1.942216800b0c8p+0, -0x1.199aee1d1001bp+1};

/// One step on the whole of arrays of `count` elements.
template <class T>
void adam_step(Cpu& cpu, int64_t count, const AdamStep& step, const T* g, T* m, T* v, T* w) {
  const auto segment = kernels::adam_segment<T>({0, count}, step);
  kernels::optim_kernels<T>(Backend::Cpu).adam(cpu.exec, {&segment, 1}, {count, g, m, v, w});
}

template <class T>
void sgd_step(Cpu& cpu, int64_t count, const SgdStep& step, const T* g, T* m, T* w) {
  const auto segment = kernels::sgd_segment<T>({0, count}, step);
  kernels::optim_kernels<T>(Backend::Cpu).sgd(cpu.exec, {&segment, 1}, {count, g, m, nullptr, w});
}

constexpr AdamStep kPlainAdam{.lr = 1e-2};
constexpr AdamStep kOtherAdam{.lr = 1e-2, .beta1 = 0.4, .beta2 = 0.95, .eps = 1e-6, .decay = 0.1};
constexpr SgdStep kPlainSgd{.lr = 0.1};
constexpr SgdStep kMomentumSgd{.lr = 0.05, .momentum = 0.9, .decay = 0.01};

template <class T>
std::vector<T> cast(const std::vector<double>& values) {
  std::vector<T> out;
  for (const double value : values) out.push_back(static_cast<T>(value));
  return out;
}

/// Two roundings' worth: PyTorch's vector code fuses multiplications and additions where the processor can.
template <class T>
void check_close(const std::vector<T>& got, const std::vector<T>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i, got[i], expected[i]);
    CHECK(std::fabs(got[i] - expected[i]) <= 4 * std::numeric_limits<T>::epsilon() * std::fabs(expected[i]));
  }
}

template <class T>
void adam_as_pytorch(AdamStep step, const std::vector<T>& expected) {
  Cpu cpu;
  GuardedBuffer<T> w(cast<T>(kStart)), m(std::vector<T>(kWeights, 0)), v(std::vector<T>(kWeights, 0));
  for (step.step = 1; step.step <= kSteps; ++step.step) {
    const GuardedBuffer<T> g(cast<T>(kGradients[step.step - 1]));
    adam_step<T>(cpu, kWeights, step, g.data(), m.data(), v.data(), w.data());
  }
  check_close(w.values(), expected);
  CHECK((w.guards_intact() && m.guards_intact() && v.guards_intact()));
}

template <class T>
void sgd_as_pytorch(SgdStep step, const std::vector<T>& expected) {
  Cpu cpu;
  GuardedBuffer<T> w(cast<T>(kStart)), m(kWeights);  // m is NaN: the first step must not read it
  for (int t = 0; t < kSteps; ++t) {
    const GuardedBuffer<T> g(cast<T>(kGradients[t]));
    step.first = t == 0;
    T* momentum = step.momentum == 0 ? nullptr : m.data();
    sgd_step<T>(cpu, kWeights, step, g.data(), momentum, w.data());
  }
  check_close(w.values(), expected);
  CHECK((w.guards_intact() && m.guards_intact()));
  CHECK((step.momentum == 0 ? m.untouched() : m.no_nans()));
}

/// One weight's history under the formulas of optim.h, in long double.
struct Recurrence {
  long double w, m = 0, v = 0;

  void adam(const AdamStep& step, long double g) {
    g += step.decay * w;
    m = step.beta1 * m + (1 - static_cast<long double>(step.beta1)) * g;
    v = step.beta2 * v + (1 - static_cast<long double>(step.beta2)) * g * g;
    const auto t = static_cast<long double>(step.step);
    const long double m_hat = m / (1 - std::pow(static_cast<long double>(step.beta1), t));
    const long double v_hat = v / (1 - std::pow(static_cast<long double>(step.beta2), t));
    w -= step.lr * m_hat / (std::sqrt(v_hat) + step.eps);
  }
  void sgd(const SgdStep& step, long double g) {
    g += step.decay * w;
    m = step.first ? g : step.momentum * m + g;
    w -= step.lr * m;
  }
};

/// 20 steps over `count` weights; the largest |w - recurrence|.
template <class T>
double largest_error(int64_t count, bool use_adam) {
  Cpu cpu;
  std::mt19937 random(71);
  GuardedBuffer<T> w(reals<T>(random, count)), m(std::vector<T>(w.size(), 0)), v(std::vector<T>(w.size(), 0));
  std::vector<Recurrence> truth;
  for (const T weight : w) truth.push_back({weight});
  for (int t = 1; t <= 20; ++t) {
    const GuardedBuffer<T> g(reals<T>(random, count));
    AdamStep adam = kPlainAdam;
    adam.step = t;
    SgdStep sgd = kMomentumSgd;
    sgd.first = t == 1;
    if (use_adam) {
      adam_step<T>(cpu, count, adam, g.data(), m.data(), v.data(), w.data());
    } else {
      sgd_step<T>(cpu, count, sgd, g.data(), m.data(), w.data());
    }
    for (size_t i = 0; i < truth.size(); ++i) use_adam ? truth[i].adam(adam, g[i]) : truth[i].sgd(sgd, g[i]);
  }
  REQUIRE((w.guards_intact() && m.guards_intact() && v.guards_intact()));
  double error = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    error = std::max(error, std::fabs(static_cast<double>(static_cast<long double>(w[i]) - truth[i].w)));
  }
  return error;
}

}  // namespace

TEST_CASE("optim: Adam gives PyTorch's numbers") {
  adam_as_pytorch<float>(kPlainAdam, kAdam32);
  adam_as_pytorch<double>(kPlainAdam, kAdam64);
  adam_as_pytorch<float>(kOtherAdam, kDecayed32);
  adam_as_pytorch<double>(kOtherAdam, kDecayed64);
}

TEST_CASE("optim: SGD gives PyTorch's numbers") {
  sgd_as_pytorch<float>(kPlainSgd, kSgd32);
  sgd_as_pytorch<double>(kPlainSgd, kSgd64);
  sgd_as_pytorch<float>(kMomentumSgd, kMomentum32);
  sgd_as_pytorch<double>(kMomentumSgd, kMomentum64);
}

TEST_CASE("optim: twenty steps follow the recurrences") {
  for (const int64_t count : {1, 3, 5, 8, 1003}) {
    CAPTURE(count);
    CHECK(largest_error<double>(count, true) <= 1e-15);
    CHECK(largest_error<double>(count, false) <= 1e-14);
    CHECK(largest_error<float>(count, true) <= 1e-6);
    CHECK(largest_error<float>(count, false) <= 1e-5);
  }
}

TEST_CASE("optim: same bits for any number of threads") {
  std::mt19937 random(72);
  constexpr int64_t kCount = 100003;
  const auto g = reals<float>(random, kCount), start = reals<float>(random, kCount);
  require_same_for_any_threads([&](Cpu& cpu) {
    std::vector<float> w = start, m(w.size()), v(w.size());
    adam_step(cpu, kCount, kOtherAdam, g.data(), m.data(), v.data(), w.data());
    sgd_step(cpu, kCount, kMomentumSgd, g.data(), m.data(), w.data());
    return w;
  });
}

TEST_CASE("optim: each segment takes its own step, and the gaps stay") {
  Cpu cpu;
  std::mt19937 random(73);
  // Several in one span, one over three spans, one that begins where a span does, an empty one.
  const std::vector<kernels::Segment> segments = {{16, 5},      {32, 48},   {96, 0},
                                                  {112, 70001}, {98304, 3}, {98320, 40}};
  const int64_t count = 98400;
  const auto g = reals<float>(random, count), start = reals<float>(random, count);
  const auto zeros = std::vector<float>(start.size(), 0);
  GuardedBuffer<float> w(start), m(zeros), v(zeros), plain(start);
  std::vector<float> expected_w = start, expected_m = zeros, expected_v = zeros, expected_plain = start;
  std::vector<kernels::AdamSegment<float>> adam;
  std::vector<kernels::SgdSegment<float>> sgd;
  for (const kernels::Segment& segment : segments) {
    AdamStep a = kOtherAdam;
    a.lr = 0.01 * static_cast<double>(1 + adam.size());
    const SgdStep s{.lr = a.lr, .decay = a.lr};
    adam.push_back(kernels::adam_segment<float>(segment, a));
    sgd.push_back(kernels::sgd_segment<float>(segment, s));
    const int64_t at = segment.begin;
    adam_step(cpu, segment.count, a, &g[at], &expected_m[at], &expected_v[at], &expected_w[at]);
    sgd_step<float>(cpu, segment.count, s, &g[at], nullptr, &expected_plain[at]);
  }
  const auto& optim = kernels::optim_kernels<float>(Backend::Cpu);
  const auto size = static_cast<int64_t>(segments.size());
  optim.adam(cpu.exec, {adam.data(), size}, {count, g.data(), m.data(), v.data(), w.data()});
  optim.sgd(cpu.exec, {sgd.data(), size}, {count, g.data(), nullptr, nullptr, plain.data()});
  CHECK(same_bits(w.values(), expected_w));
  CHECK(same_bits(m.values(), expected_m));
  CHECK(same_bits(v.values(), expected_v));
  CHECK(same_bits(plain.values(), expected_plain));
  CHECK((w.guards_intact() && m.guards_intact() && v.guards_intact() && plain.guards_intact()));
}

TEST_CASE("optim: a segment off its boundary is refused") {
  CHECK_THROWS_AS(kernels::adam_segment<float>({8, 4}, kPlainAdam), kernels::Error);
  CHECK_THROWS_AS(kernels::sgd_segment<float>({24, 4}, kPlainSgd), kernels::Error);
}

namespace {

// Spans of 32768 elements: several segments in one, one over three, an empty one, tails, gaps.
const std::vector<kernels::Segment> kMeasured = {{16, 5}, {32, 2100}, {2144, 0}, {4096, 70001}, {98304, 17}};
constexpr int64_t kMeasuredElements = 98400;

/// Two steps of an optimiser with and without sums: the same bits of all arrays, and sums by their
/// definition.
template <class T, class S, class MakeSegment, class Run>
void measured(MakeSegment make_segment, Run run) {
  Cpu cpu;
  std::mt19937 random(76);
  std::vector<T> w = reals<T>(random, kMeasuredElements), m(w.size(), T(0)), v = m;
  std::vector<T> w2 = w, m2 = m, v2 = v;
  const auto size = static_cast<int64_t>(kMeasured.size());
  for (int t = 1; t <= 2; ++t) {
    const std::vector<T> g = reals<T>(random, kMeasuredElements), before = w;
    std::vector<S> table;
    for (const kernels::Segment& segment : kMeasured) table.push_back(make_segment(segment, t));
    std::vector<kernels::UpdateSums> sums(table.size(), {-1, -1});
    const kernels::SegmentTable<S> segments{table.data(), size};
    run(cpu.exec, segments,
        kernels::OptimArrays<T>{kMeasuredElements, g.data(), m.data(), v.data(), w.data()});
    run(cpu.exec, segments,
        kernels::OptimArrays<T>{kMeasuredElements, g.data(), m2.data(), v2.data(), w2.data(), sums.data()});
    REQUIRE((w == w2 && m == m2 && v == v2));
    for (size_t i = 0; i < sums.size(); ++i) {
      CAPTURE(i);
      double change = 0, weight = 0;
      for (int64_t k = kMeasured[i].begin; k < kMeasured[i].end(); ++k) {
        const auto old = static_cast<double>(before[static_cast<size_t>(k)]);
        const double difference = static_cast<double>(w[static_cast<size_t>(k)]) - old;
        change += difference * difference;
        weight += old * old;
      }
      CHECK(sums[i].change == Approx(change).epsilon(1e-12));
      CHECK(sums[i].weight == Approx(weight).epsilon(1e-12));
    }
  }
}

template <class T>
void all_measured() {
  const auto& optim = kernels::optim_kernels<T>(Backend::Cpu);
  measured<T, kernels::AdamSegment<T>>(
      [](kernels::Segment segment, int t) {
        return kernels::adam_segment<T>(segment, {.lr = 1e-2, .decay = 0.1, .step = t});
      },
      [&](const auto& exec, auto table, auto arrays) { optim.adam(exec, table, arrays); });
  for (const double momentum : {0.0, 0.9}) {
    measured<T, kernels::SgdSegment<T>>(
        [=](kernels::Segment segment, int t) {
          return kernels::sgd_segment<T>(segment, {.lr = 0.1, .momentum = momentum, .first = t == 1});
        },
        [&](const auto& exec, auto table, auto arrays) {
          if (momentum == 0) arrays.m = nullptr;
          optim.sgd(exec, table, arrays);
        });
  }
}

}  // namespace

TEST_CASE("optim: sums of the update leave the update as it is") {
  all_measured<float>();
  all_measured<double>();
}

TEST_CASE("optim: sums of the update have the same bits for any number of threads") {
  std::mt19937 random(77);
  const auto w0 = reals<float>(random, kMeasuredElements), g = reals<float>(random, kMeasuredElements);
  std::vector<kernels::SgdSegment<float>> table;
  for (const auto& segment : kMeasured) table.push_back(kernels::sgd_segment<float>(segment, {.lr = 0.1}));
  require_same_for_any_threads([&](Cpu& cpu) {
    std::vector<float> w = w0;
    std::vector<kernels::UpdateSums> sums(table.size());
    kernels::optim_kernels<float>(Backend::Cpu)
        .sgd(cpu.exec, {table.data(), static_cast<int64_t>(table.size())},
             {kMeasuredElements, g.data(), nullptr, nullptr, w.data(), sums.data()});
    std::vector<double> numbers;
    for (const auto& sum : sums) numbers.insert(numbers.end(), {sum.change, sum.weight});
    return numbers;
  });
}
