// f16 and bf16 handlers against exact arithmetic: every value for one operand, dense samples for two and
// three.
#include <cmath>

#include "ops/float_flags.h"
#include "tests/unit/catch.h"
#include "tests/unit/exact.h"
#include "tests/unit/handler_bench.h"

namespace vgpu::test {
namespace {

struct Kind {
  const char* name;
  Format format;
  int fraction_bits, bias;
  uint16_t exponent() const { return static_cast<uint16_t>(0x7FFF >> fraction_bits << fraction_bits); }
  uint16_t one() const { return static_cast<uint16_t>(bias << fraction_bits); }
  bool nan(uint16_t x) const { return (x & 0x7FFF) > exponent(); }
  uint16_t flushed(uint16_t x) const { return static_cast<uint16_t>((x & exponent()) == 0 ? x & 0x8000 : x); }

  double decode(uint16_t x) const {
    const int biased = (x & 0x7FFF) >> fraction_bits, fraction = x & ((1 << fraction_bits) - 1);
    double magnitude = std::ldexp(fraction, 1 - bias - fraction_bits);
    if (biased != 0) magnitude = std::ldexp((1 << fraction_bits) + fraction, biased - bias - fraction_bits);
    if ((x & 0x7FFF) == exponent()) magnitude = HUGE_VAL;
    if (nan(x)) magnitude = std::nan("");
    return (x & 0x8000) != 0 ? -magnitude : magnitude;
  }
  // A value of the format (or infinity, NaN, zero) as its pattern.
  uint16_t encode(double x) const {
    if (std::isnan(x)) return 0x7FFF;
    const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    if (std::isinf(x)) return sign | exponent();
    int exponent_of = 0;
    const double fraction = std::frexp(std::fabs(x), &exponent_of);
    if (fraction == 0) return sign;
    const int biased = exponent_of - 1 + bias;
    if (biased <= 0)
      return static_cast<uint16_t>(sign |
                                   static_cast<int>(std::ldexp(std::fabs(x), bias - 1 + fraction_bits)));
    const int bits = static_cast<int>(std::ldexp(fraction, fraction_bits + 1)) - (1 << fraction_bits);
    return static_cast<uint16_t>(sign | biased << fraction_bits | bits);
  }
};
const Kind kKinds[] = {{"f16", kHalfFormat, 10, 15}, {"bf16", kBFloatFormat, 7, 127}};

uint16_t finished(const Kind& kind, double value, uint32_t flags) {
  uint16_t r = kind.encode(value);
  if ((flags & flag::kFtz) != 0) r = kind.flushed(r);
  if ((flags & flag::kSat) != 0) r = kind.nan(r) || (r & 0x8000) != 0 ? 0 : std::min(r, kind.one());
  if ((flags & flag::kRelu) != 0 && !kind.nan(r) && (r & 0x8000) != 0) r = 0;
  return r;
}

std::vector<std::vector<uint16_t>> half_inputs(const Kind& kind, size_t operands, size_t random_count) {
  std::vector<uint16_t> special;
  const int one = kind.one(), infinity = kind.exponent(), normal = 1 << kind.fraction_bits;
  for (int x : {0, 1, 2, normal - 1, normal, normal + 1, one / 2, one - 1, one, one + 1, one + normal / 2,
                one + 3 * normal, infinity - 1, infinity - normal, infinity, infinity + 1, 0x7FFF}) {
    special.push_back(static_cast<uint16_t>(x));
    special.push_back(static_cast<uint16_t>(x | 0x8000));
  }
  std::vector<std::vector<uint16_t>> inputs(operands);
  size_t count = 1;
  for (size_t k = 0; k < operands; ++k) count *= special.size();
  for (size_t n = 0; n < count; ++n)
    for (size_t k = 0, rest = n; k < operands; ++k, rest /= special.size())
      inputs[k].push_back(special[rest % special.size()]);
  std::mt19937 random(21);
  for (size_t n = 0; n < random_count; ++n)
    for (size_t k = 0; k < operands; ++k) {
      uint32_t bits = random();  // half of them have exponents near one's, where sums interact
      if (n % 2 == 0)
        bits = (bits & 0x8003) |
               (static_cast<uint32_t>(one) + (random() % 24 - 12) * static_cast<uint32_t>(normal));
      inputs[k].push_back(static_cast<uint16_t>(bits));
    }
  return inputs;
}

double exact(const Kind& kind, const std::string& operation, const double* x, Round mode) {
  if (operation == "add") return rounded_sum(x[0], x[1], kind.format, mode);
  if (operation == "sub") return rounded_sum(x[0], -x[1], kind.format, mode);
  if (operation == "mul") return rounded(x[0] * x[1], kind.format, mode);
  return rounded_sum(x[0] * x[1], x[2], kind.format, mode);
}

TEST_CASE("f16 and bf16 arithmetic rounds once", "[half]") {
  Bench bench;
  for (const Kind& kind : kKinds)
    for (const std::string operation : {"add", "sub", "mul", "fma"}) {
      const size_t operands = operation == "fma" ? 3 : 2;
      const auto inputs = half_inputs(kind, operands, 200000);
      for (uint32_t flags : {0u, uint32_t{flag::kFtz}, uint32_t{flag::kSat}, uint32_t{flag::kRelu}}) {
        if (flags != 0 && kind.fraction_bits == 7 && flags != flag::kRelu) continue;  // bf16 knows .relu only
        const auto results = bench.run<uint16_t>(operation + "." + kind.name, flags, inputs);
        for (size_t n = 0; n < results.size(); ++n) {
          double x[3] = {};
          for (size_t k = 0; k < operands; ++k)
            x[k] = kind.decode((flags & flag::kFtz) != 0 ? kind.flushed(inputs[k][n]) : inputs[k][n]);
          const uint16_t wanted = finished(kind, exact(kind, operation, x, Round::NearestEven), flags);
          if (results[n] == wanted) continue;
          INFO(operation << "." << kind.name << " flags " << flags << std::hex << ": " << inputs[0][n] << " "
                         << inputs[1][n] << " " << inputs.back()[n] << " gives " << results[n]
                         << " instead of " << wanted);
          REQUIRE(results[n] == wanted);
        }
      }
    }
}

TEST_CASE("packed halves are two halves", "[half]") {
  Bench bench;
  for (const Kind& kind : kKinds)
    for (const std::string operation :
         {"add", "sub", "mul", "fma", "min", "max", "ex2", "tanh", "neg", "abs"}) {
      const auto inputs = half_inputs(kind, 3, 2000);
      std::vector<std::vector<uint32_t>> packed(3);
      for (size_t k = 0; k < 3; ++k)
        for (size_t n = 0; n + 1 < inputs[k].size(); n += 2)
          packed[k].push_back(inputs[k][n] | uint32_t{inputs[k][n + 1]} << 16);
      for (uint32_t flags : {0u, uint32_t{flag::kFtz}}) {
        const auto scalar = bench.run<uint16_t>(operation + "." + kind.name, flags, inputs);
        const auto pairs = bench.run<uint32_t>(operation + "." + kind.name + "x2", flags, packed);
        size_t wrong = 0;
        for (size_t n = 0; n < pairs.size(); ++n)
          wrong += pairs[n] != (scalar[2 * n] | uint32_t{scalar[2 * n + 1]} << 16);
        INFO(operation << "." << kind.name << "x2");
        CHECK(wrong == 0);
      }
    }
}

TEST_CASE("one operand: every half", "[half]") {
  Bench bench;
  std::vector<uint16_t> all(65536);
  for (size_t n = 0; n < all.size(); ++n) all[n] = static_cast<uint16_t>(n);
  for (const Kind& kind : kKinds)
    for (uint32_t flags : {0u, uint32_t{flag::kFtz}}) {
      const std::string suffix = std::string(".") + kind.name;
      const auto negative = bench.run<uint16_t>("neg" + suffix, flags, {all});
      const auto absolute = bench.run<uint16_t>("abs" + suffix, flags, {all});
      const auto power = bench.run<uint16_t>("ex2" + suffix, flags, {all});
      const auto tangent = bench.run<uint16_t>("tanh" + suffix, flags, {all});
      size_t wrong = 0;
      for (size_t n = 0; n < all.size(); ++n) {
        const uint16_t x = flags != 0 ? kind.flushed(all[n]) : all[n];
        const double value = kind.decode(x);
        // Ties do not happen: neither function has a dyadic value beside the exact powers of two.
        const double exp2 = value < -300  ? (std::isinf(value) ? 0.0 : 0x1p-300)
                            : value > 300 ? HUGE_VAL
                                          : std::exp2(value);
        wrong += negative[n] != (x ^ 0x8000);
        wrong += absolute[n] != (x & 0x7FFF);
        wrong += power[n] != finished(kind, rounded(exp2, kind.format, Round::NearestEven), flags);
        wrong +=
            tangent[n] != finished(kind, rounded(std::tanh(value), kind.format, Round::NearestEven), flags);
      }
      INFO(kind.name << " flags " << flags);
      CHECK(wrong == 0);
    }
}

uint16_t extreme_reference(const Kind& kind, bool maximum, uint32_t flags, uint16_t a, uint16_t b) {
  uint16_t x = (flags & flag::kFtz) != 0 ? kind.flushed(a) : a,
           y = (flags & flag::kFtz) != 0 ? kind.flushed(b) : b;
  const bool magnitudes = (flags & extreme::kXorSign) != 0;
  if (magnitudes) x &= 0x7FFF, y &= 0x7FFF;
  const bool x_nan = kind.nan(x), y_nan = kind.nan(y);
  if ((x_nan && y_nan) || ((x_nan || y_nan) && (flags & flag::kNan) != 0)) return 0x7FFF;
  const double p = kind.decode(x), q = kind.decode(y);
  const bool smaller = p < q || (p == q && std::signbit(p) && !std::signbit(q));
  const uint16_t r = x_nan ? y : y_nan ? x : smaller != maximum ? x : y;
  return static_cast<uint16_t>(r | (magnitudes ? (a ^ b) & 0x8000 : 0));
}

TEST_CASE("f16 and bf16 minimum and maximum", "[half]") {
  Bench bench;
  for (const Kind& kind : kKinds) {
    const auto inputs = half_inputs(kind, 2, 50000);
    for (bool maximum : {false, true})
      for (uint32_t sign : {0u, uint32_t{extreme::kXorSign}})
        for (uint32_t common :
             {0u, uint32_t{flag::kFtz}, uint32_t{flag::kNan}, uint32_t{flag::kFtz | flag::kNan}}) {
          const auto results = bench.run<uint16_t>((maximum ? "max." : "min.") + std::string(kind.name),
                                                   sign | common, inputs);
          for (size_t n = 0; n < results.size(); ++n) {
            const uint16_t wanted =
                extreme_reference(kind, maximum, sign | common, inputs[0][n], inputs[1][n]);
            if (results[n] == wanted) continue;
            INFO(kind.name << " flags " << (sign | common) << std::hex << ": " << inputs[0][n] << " "
                           << inputs[1][n]);
            REQUIRE(results[n] == wanted);
          }
        }
  }
}

TEST_CASE("halves widen exactly", "[half]") {
  Bench bench;
  for (const Kind& kind : kKinds)
    for (uint32_t first = 0; first < 65536; first += kLanes) {
      for (uint32_t i = 0; i < kLanes; ++i) bench.slot<uint16_t>(1)[i] = static_cast<uint16_t>(first + i);
      bench.step(std::string("widen.") + kind.name, 0, ~0u, 0);
      for (uint32_t i = 0; i < kLanes; ++i) {
        const double wanted = kind.decode(static_cast<uint16_t>(first + i));
        if (std::isnan(wanted)) continue;
        REQUIRE(double{bench.slot<float>(0)[i]} == wanted);
      }
    }
}

}  // namespace
}  // namespace vgpu::test
