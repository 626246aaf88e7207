// f32 and f64 handlers against exact arithmetic, the host's rounding modes and what PTX says of special
// values.
#include <cfenv>
#include <cfloat>
#include <functional>

#include "tests/unit/catch.h"
#include "tests/unit/exact.h"
#include "tests/unit/handler_bench.h"

namespace vgpu::test {
namespace {

constexpr uint32_t kCanonicalNan = 0x7FFFFFFF;
const Round kRounds[] = {Round::NearestEven, Round::Zero, Round::Down, Round::Up};

// Zeros, ones, subnormals, limits, infinities, NaNs, neighbours of powers of two.
std::vector<uint32_t> special_floats() {
  std::vector<uint32_t> values = {0,          1,          2,          0x00400000, 0x007FFFFF, 0x00800000,
                                  0x00800001, 0x0C000001, 0x33800000, 0x34000000, 0x3F000000, 0x3F7FFFFF,
                                  0x3F800000, 0x3F800001, 0x3FC00000, 0x40400000, 0x4B000001, 0x4B7FFFFF,
                                  0x7E800001, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7FA00001};
  for (size_t i = 0, n = values.size(); i < n; ++i) values.push_back(values[i] | 0x80000000u);
  return values;
}

// Special values in all combinations, then random ones: half of them of similar size, so that sums cancel and
// tie.
std::vector<std::vector<uint32_t>> float_inputs(size_t operands, size_t random_count) {
  std::vector<std::vector<uint32_t>> inputs(operands);
  const std::vector<uint32_t> special = special_floats();
  size_t combinations = 1;
  for (size_t k = 0; k < operands; ++k) combinations *= special.size();
  for (size_t n = 0; n < combinations; n += operands == 3 ? 7 : 1)
    for (size_t k = 0, rest = n; k < operands; ++k, rest /= special.size())
      inputs[k].push_back(special[rest % special.size()]);
  std::mt19937 random(11);
  for (size_t n = 0; n < random_count; ++n)
    for (auto& input : inputs) {
      const uint32_t bits = random();
      const uint32_t close = (bits & 0x8000000Fu) | (0x3F800000u + (random() % 25 << 23));
      input.push_back(n % 2 == 0 ? bits : close | (random() % 2 != 0 ? random() & 0x7FFFFFu : 0));
    }
  return inputs;
}

float flushed(float x) {
  return std::fabs(x) < FLT_MIN ? std::copysign(0.0f, x) : x;
}

// The result of a rounding: `unbounded` rounds with an unlimited exponent range, which decides what .ftz
// flushes.
uint32_t finished(double value, double unbounded, uint32_t flags) {
  float r = static_cast<float>(value);
  if ((flags & flag::kFtz) != 0 && std::fabs(unbounded) < double{FLT_MIN}) r = std::copysign(0.0f, r);
  if ((flags & flag::kSat) != 0) r = r > 0 ? std::fmin(r, 1.0f) : 0.0f;
  return r != r ? kCanonicalNan : as<uint32_t>(r);
}

using Exactly = std::function<double(const float*, const Format&, Round)>;

void check_float(Bench& bench, const std::string& name, size_t operands, uint32_t flags,
                 const Exactly& exactly) {
  const auto inputs = float_inputs(operands, 4000);
  const auto results = bench.run<uint32_t>(name + (flags != 0 ? ".mode" : ""), flags, inputs);
  const Format unbounded{24, -310, 127};
  const Round mode = static_cast<Round>(flags & flag::kRoundMask);
  size_t wrong = 0;
  for (size_t n = 0; n < results.size(); ++n) {
    float x[3] = {};
    for (size_t k = 0; k < operands; ++k) {
      x[k] = as<float>(inputs[k][n]);
      if ((flags & flag::kFtz) != 0) x[k] = flushed(x[k]);
    }
    const uint32_t wanted = finished(exactly(x, kFloatFormat, mode), exactly(x, unbounded, mode), flags);
    if (wanted == results[n]) continue;
    if (++wrong == 1)
      UNSCOPED_INFO(name << std::hex << " " << inputs[0][n] << " " << inputs.back()[n] << ": " << results[n]
                         << " instead of " << wanted);
  }
  INFO(name << " flags " << flags);
  CHECK(wrong == 0);
}

TEST_CASE("f32 arithmetic rounds once in every mode", "[float]") {
  Bench bench;
  for (Round round : kRounds)
    for (uint32_t extra :
         {0u, uint32_t{flag::kFtz}, uint32_t{flag::kSat}, uint32_t{flag::kFtz | flag::kSat}}) {
      const uint32_t flags = static_cast<uint32_t>(round) | extra;
      check_float(bench, "add.f32", 2, flags, [](const float* x, const Format& f, Round r) {
        return rounded_sum(double{x[0]}, double{x[1]}, f, r);
      });
      check_float(bench, "sub.f32", 2, flags, [](const float* x, const Format& f, Round r) {
        return rounded_sum(double{x[0]}, -double{x[1]}, f, r);
      });
      check_float(bench, "mul.f32", 2, flags, [](const float* x, const Format& f, Round r) {
        return rounded(double{x[0]} * double{x[1]}, f, r);
      });
      check_float(bench, "fma.f32", 3, flags, [](const float* x, const Format& f, Round r) {
        return rounded_sum(double{x[0]} * double{x[1]}, double{x[2]}, f, r);
      });
    }
}

TEST_CASE("f32x2 is two f32", "[float]") {
  Bench bench;
  const auto inputs = float_inputs(3, 512);
  std::vector<std::vector<uint64_t>> packed(3);
  for (size_t k = 0; k < 3; ++k)
    for (size_t n = 0; n + 1 < inputs[k].size(); n += 2)
      packed[k].push_back(inputs[k][n] | uint64_t{inputs[k][n + 1]} << 32);
  for (const char* name : {"add", "sub", "mul", "fma"})
    for (uint32_t flags : {0u, uint32_t{flag::kFtz}, static_cast<uint32_t>(Round::Down)}) {
      const auto scalar = bench.run<uint32_t>(std::string(name) + ".f32.mode", flags, inputs);
      const auto pairs = bench.run<uint64_t>(std::string(name) + ".f32x2", flags, packed);
      for (size_t n = 0; n < pairs.size(); ++n)
        REQUIRE(pairs[n] == (scalar[2 * n] | uint64_t{scalar[2 * n + 1]} << 32));
    }
}

// The host's own division and root, one value at a time.
template <class T>
T host(const std::string& operation, T a, T b, T c, Round round) {
  const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
  volatile T x = a, y = b, r = 0;
  std::fesetround(modes[static_cast<int>(round)]);
  if (operation == "add") r = x + y;
  if (operation == "sub") r = x - y;
  if (operation == "mul") r = x * y;
  if (operation == "div") r = x / y;
  if (operation == "rcp") r = T(1) / x;
  if (operation == "sqrt") r = std::sqrt(x);
  if (operation == "fma") r = std::fma(x, y, c);
  std::fesetround(FE_TONEAREST);
  return r;
}

TEST_CASE("f32 division, reciprocal and root are IEEE", "[float]") {
  Bench bench;
  for (const std::string operation : {"div", "rcp", "sqrt"}) {
    const auto inputs = float_inputs(operation == "div" ? 2 : 1, 20000);
    for (Round round : kRounds)
      for (uint32_t ftz : {0u, uint32_t{flag::kFtz}}) {
        const uint32_t flags = static_cast<uint32_t>(round) | ftz;
        const auto results =
            bench.run<uint32_t>(operation + ".f32" + (flags != 0 ? ".mode" : ""), flags, inputs);
        for (size_t n = 0; n < results.size(); ++n) {
          float a = as<float>(inputs[0][n]), b = as<float>(inputs.back()[n]);
          if (ftz != 0) a = flushed(a), b = flushed(b);
          float wanted = host(operation, a, b, 0.0f, round);
          if (ftz != 0) wanted = flushed(wanted);
          if (ftz != 0 && std::fabs(wanted) == FLT_MIN)
            continue;  // flushed or not: depends on the bits beyond
          const uint32_t bits = wanted != wanted ? kCanonicalNan : as<uint32_t>(wanted);
          INFO(operation << " " << a << " " << b << " flags " << flags);
          REQUIRE(results[n] == bits);
        }
      }
  }
}

TEST_CASE("f64 arithmetic is IEEE in every mode", "[float]") {
  Bench bench;
  std::mt19937_64 random(3);
  std::vector<std::vector<uint64_t>> inputs(3);
  for (size_t n = 0; n < 8000; ++n)
    for (auto& input : inputs) {
      const uint64_t specials[] = {
          0, uint64_t{1} << 63, 1, 0x7FF0000000000000, 0xFFF0000000000000, 0x3FF0000000000000};
      const uint64_t close = 0x3F00000000000000 + (random() >> 7);
      input.push_back(n % 3 == 0 ? random() : n % 3 == 1 ? close : specials[random() % 6]);
    }
  for (const std::string operation : {"add", "sub", "mul", "div", "rcp", "sqrt", "fma"})
    for (Round round : kRounds) {
      const uint32_t flags = static_cast<uint32_t>(round);
      const auto results =
          bench.run<uint64_t>(operation + ".f64" + (flags != 0 ? ".mode" : ""), flags, inputs);
      for (size_t n = 0; n < results.size(); ++n) {
        const double a = as<double>(inputs[0][n]), b = as<double>(inputs[1][n]), c = as<double>(inputs[2][n]);
        const double wanted = host(operation, a, b, c, round), result = as<double>(results[n]);
        INFO(operation << " " << a << " " << b << " " << c);
        REQUIRE((wanted != wanted ? result != result : results[n] == as<uint64_t>(wanted)));
      }
    }
}

}  // namespace
}  // namespace vgpu::test
