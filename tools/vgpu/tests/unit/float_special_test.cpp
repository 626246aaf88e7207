// Minimum and maximum, signs, classes and the approximations: f32 and f64.
#include <cfloat>
#include <cmath>

#include "ops/float_flags.h"
#include "tests/unit/catch.h"
#include "tests/unit/handler_bench.h"

namespace vgpu::test {
namespace {

constexpr uint32_t kCanonicalNan = 0x7FFFFFFF;

std::vector<uint32_t> floats(size_t random_count) {
  std::vector<uint32_t> values;
  for (uint32_t bits : {0x00000000u, 0x00000001u, 0x007FFFFFu, 0x00800000u, 0x3E800000u, 0x3F7FFFFFu,
                        0x3F800000u, 0x3F800001u, 0x40490FDBu, 0x42C80000u, 0x7E800000u, 0x7E800001u,
                        0x7F7FFFFFu, 0x7F800000u, 0x7F800001u, 0x7FC00000u}) {
    values.push_back(bits);
    values.push_back(bits | 0x80000000u);
  }
  std::mt19937 random(5);
  for (size_t n = 0; n < random_count; ++n) values.push_back(random());
  return values;
}

std::vector<std::vector<uint32_t>> combinations(const std::vector<uint32_t>& values, size_t operands) {
  std::vector<std::vector<uint32_t>> inputs(operands);
  size_t count = 1;
  for (size_t k = 0; k < operands; ++k) count *= values.size();
  for (size_t n = 0; n < count; ++n)
    for (size_t k = 0, rest = n; k < operands; ++k, rest /= values.size())
      inputs[k].push_back(values[rest % values.size()]);
  return inputs;
}

bool is_nan(uint32_t x) {
  return (x & 0x7FFFFFFF) > 0x7F800000;
}
uint32_t flushed(uint32_t x) {
  return (x & 0x7F800000) == 0 ? x & 0x80000000 : x;
}

uint32_t pick(bool maximum, uint32_t x, uint32_t y) {  // two values, a NaN loses
  if (is_nan(x)) return is_nan(y) ? kCanonicalNan : y;
  if (is_nan(y)) return x;
  const float a = as<float>(x), b = as<float>(y);
  const bool smaller = a < b || (a == b && std::signbit(a) && !std::signbit(b));
  return smaller != maximum ? x : y;
}

uint32_t extreme_reference(bool maximum, uint32_t flags, const std::vector<uint32_t>& original) {
  std::vector<uint32_t> x = original;
  bool nan = false;
  for (uint32_t& value : x) {
    if ((flags & flag::kFtz) != 0) value = flushed(value);
    if ((flags & extreme::kAbsolute) != 0) value &= 0x7FFFFFFF;
    nan = nan || is_nan(value);
  }
  uint32_t r = pick(maximum, x[0], x[1]);
  if (x.size() == 3) r = pick(maximum, r, x[2]);
  if (is_nan(r) || (nan && (flags & flag::kNan) != 0)) return kCanonicalNan;
  if ((flags & extreme::kXorSign) != 0) r |= (original[0] ^ original[1]) & 0x80000000;
  return r;
}

TEST_CASE("f32 minimum and maximum", "[float]") {
  Bench bench;
  for (bool maximum : {false, true})
    for (uint32_t extra :
         {0u, uint32_t{extreme::kXorSign | extreme::kAbsolute}, uint32_t{extreme::kThreeOperands},
          uint32_t{extreme::kThreeOperands | extreme::kAbsolute}})
      for (uint32_t common :
           {0u, uint32_t{flag::kFtz}, uint32_t{flag::kNan}, uint32_t{flag::kFtz | flag::kNan}}) {
        const uint32_t flags = extra | common;
        const size_t operands = (flags & extreme::kThreeOperands) != 0 ? 3 : 2;
        const auto inputs = combinations(floats(operands == 3 ? 0 : 40), operands);
        const std::string name = maximum ? "max.f32" : "min.f32";
        const auto results = bench.run<uint32_t>(name + (flags != 0 ? ".mode" : ""), flags, inputs);
        for (size_t n = 0; n < results.size(); ++n) {
          std::vector<uint32_t> x;
          for (const auto& input : inputs) x.push_back(input[n]);
          INFO(name << " flags " << flags << std::hex << ": " << x[0] << " " << x[1]);
          REQUIRE(results[n] == extreme_reference(maximum, flags, x));
        }
      }
}

TEST_CASE("f64 minimum and maximum", "[float]") {
  Bench bench;
  const double nan = std::nan("");
  const std::vector<double> a = {1, 2, -0.0, 0.0, nan, 1, nan, -HUGE_VAL},
                            b = {2, 1, 0.0, -0.0, 1, nan, nan, 0.5};
  std::vector<std::vector<uint64_t>> inputs(2);
  for (double x : a) inputs[0].push_back(as<uint64_t>(x));
  for (double x : b) inputs[1].push_back(as<uint64_t>(x));
  const auto least = bench.run<uint64_t>("min.f64", 0, inputs),
             most = bench.run<uint64_t>("max.f64", 0, inputs);
  const double wanted_least[] = {1, 1, -0.0, -0.0, 1, 1, 0, -HUGE_VAL},
               wanted_most[] = {2, 2, 0, 0, 1, 1, 0, 0.5};
  for (size_t n = 0; n < a.size(); ++n) {
    if (n == 6) continue;
    CHECK(least[n] == as<uint64_t>(wanted_least[n]));
    CHECK(most[n] == as<uint64_t>(wanted_most[n]));
  }
  CHECK(std::isnan(as<double>(least[6])));
  CHECK(std::isnan(as<double>(most[6])));
}

TEST_CASE("sign operations keep the rest of the pattern", "[float]") {
  Bench bench;
  const auto inputs = combinations(floats(20), 2);
  const std::vector<std::vector<uint32_t>> one = {inputs[0]};
  const auto negative = bench.run<uint32_t>("neg.f32", 0, one),
             negative_ftz = bench.run<uint32_t>("neg.ftz.f32", 0, one);
  const auto absolute = bench.run<uint32_t>("abs.f32", 0, one),
             absolute_ftz = bench.run<uint32_t>("abs.ftz.f32", 0, one);
  const auto copied = bench.run<uint32_t>("copysign.f32", 0, inputs);
  for (size_t n = 0; n < inputs[0].size(); ++n) {
    const uint32_t x = inputs[0][n], y = inputs[1][n];
    REQUIRE(negative[n] == (x ^ 0x80000000));
    REQUIRE(negative_ftz[n] == (flushed(x) ^ 0x80000000));
    REQUIRE(absolute[n] == (x & 0x7FFFFFFF));
    REQUIRE(absolute_ftz[n] == (flushed(x) & 0x7FFFFFFF));
    REQUIRE(copied[n] == ((x & 0x80000000) | (y & 0x7FFFFFFF)));
  }
  const std::vector<std::vector<uint64_t>> doubles = {{as<uint64_t>(-2.0), as<uint64_t>(3.0)},
                                                      {as<uint64_t>(5.0), 0}};
  CHECK(bench.run<uint64_t>("copysign.f64", 0, doubles) == std::vector<uint64_t>{as<uint64_t>(-5.0), 0});
  CHECK(bench.run<uint64_t>("neg.f64", 0, {doubles[0]})[0] == as<uint64_t>(2.0));
  CHECK(bench.run<uint64_t>("abs.f64", 0, {doubles[0]})[0] == as<uint64_t>(2.0));
}

TEST_CASE("testp tells the classes apart", "[float]") {
  Bench bench;
  const float values[] = {0.0f, -0.0f, 1e-40f, -1.0f, FLT_MIN, FLT_MAX, HUGE_VALF, -HUGE_VALF, std::nanf("")};
  const uint32_t wanted[] = {0x03F, 0x0C0, 0x0FF,
                             0x100, 0x03B, 0x004};  // finite, infinite, number, NaN, normal, subnormal
  const uint32_t exec = 0xFFFFFFEF;                 // lane 4 keeps its bit
  for (int64_t kind = 0; kind < 6; ++kind)
    for (bool wide : {false, true}) {
      for (uint32_t i = 0; i < 9; ++i) {
        if (wide)
          bench.slot<double>(1)[i] = i == 2 ? 1e-310 : i == 4 ? DBL_MIN : double{values[i]};
        else
          bench.slot<float>(1)[i] = values[i];
      }
      *bench.slot<uint32_t>(0) = 0x10;
      bench.step(wide ? "testp.f64" : "testp.f32", 0, exec, 0, kind);
      CHECK((*bench.slot<uint32_t>(0) & 0x1FF) == ((wanted[kind] & ~0x10u) | 0x10));
    }
}

// Distance in units of the last place; patterns in order of value.
int64_t distance(uint32_t x, uint32_t y) {
  const auto place = [](uint32_t bits) {
    return (bits >> 31) != 0 ? -static_cast<int64_t>(bits & 0x7FFFFFFF) : static_cast<int64_t>(bits);
  };
  return std::abs(place(x) - place(y));
}

uint32_t approximation(const std::string& name, double x) {
  double r = 0;
  if (name == "ex2") r = std::exp2(x);
  if (name == "lg2") r = x == 0 ? -HUGE_VAL : std::log2(x);
  if (name == "sin") r = std::sin(x);
  if (name == "cos") r = std::cos(x);
  if (name == "tanh") r = std::tanh(x);
  if (name == "rsqrt") r = 1 / std::sqrt(x);
  const float rounded = static_cast<float>(r);
  return rounded != rounded ? kCanonicalNan : as<uint32_t>(rounded);
}

TEST_CASE("approximations are the nearest float or its neighbour", "[float]") {
  Bench bench;
  std::vector<uint32_t> inputs = floats(200000);
  std::mt19937 random(9);
  for (int n = 0; n < 200000; ++n) {  // arguments of ordinary size; around 1 for lg2
    const float x = std::ldexp(static_cast<float>(random()), -32);
    inputs.push_back(as<uint32_t>((x - 0.5f) * (n % 4 == 0 ? 300.0f : n % 4 == 1 ? 20.0f : 2.0f)));
    inputs.push_back(as<uint32_t>(0.9f + x * 0.2f));
  }
  for (const std::string name : {"ex2", "lg2", "sin", "cos", "tanh", "rsqrt"})
    for (bool ftz : {false, true}) {
      const auto results = bench.run<uint32_t>(name + ".approx" + (ftz ? ".ftz" : "") + ".f32", 0, {inputs});
      size_t off = 0;
      for (size_t n = 0; n < inputs.size(); ++n) {
        const uint32_t x = ftz ? flushed(inputs[n]) : inputs[n];
        uint32_t wanted = approximation(name, double{as<float>(x)});
        if (ftz) wanted = flushed(wanted);
        if (wanted == results[n]) continue;
        INFO(name << " of " << as<float>(x) << std::hex << ": " << results[n] << " instead of " << wanted);
        REQUIRE(!is_nan(wanted));
        REQUIRE(distance(results[n], wanted) <= 1);
        ++off;
      }
      INFO(name << ": " << off << " of " << inputs.size() << " are not the nearest");
      CHECK(off * 10000 <= inputs.size());
    }
}

TEST_CASE("special values of the approximations", "[float]") {
  Bench bench;
  const float infinity = HUGE_VALF, nan = as<float>(kCanonicalNan);
  const struct {
    const char* name;
    float argument, result;
  } cases[] = {{"ex2.approx.f32", -infinity, 0.0f},
               {"ex2.approx.f32", infinity, infinity},
               {"ex2.approx.f32", -0.0f, 1.0f},
               {"ex2.approx.f32", -149.0f, 0x1p-149f},
               {"ex2.approx.ftz.f32", -127.0f, 0.0f},
               {"lg2.approx.f32", 0.0f, -infinity},
               {"lg2.approx.f32", -0.0f, -infinity},
               {"lg2.approx.f32", -1.0f, nan},
               {"lg2.approx.f32", infinity, infinity},
               {"lg2.approx.f32", 0x1p-149f, -149.0f},
               {"lg2.approx.ftz.f32", 1e-40f, -infinity},
               {"sin.approx.f32", infinity, nan},
               {"cos.approx.f32", -infinity, nan},
               {"sin.approx.f32", -0.0f, -0.0f},
               {"cos.approx.f32", 0.0f, 1.0f},
               {"rsqrt.approx.f32", -0.0f, -infinity},
               {"rsqrt.approx.f32", 0.0f, infinity},
               {"rsqrt.approx.f32", infinity, 0.0f},
               {"rsqrt.approx.f32", -4.0f, nan},
               {"rsqrt.approx.ftz.f32", 1e-40f, infinity},
               {"tanh.approx.f32", infinity, 1.0f},
               {"tanh.approx.f32", -infinity, -1.0f},
               {"tanh.approx.f32", -0.0f, -0.0f},
               {"tanh.approx.f32", nan, nan}};
  for (const auto& c : cases) {
    INFO(c.name << " of " << c.argument);
    CHECK(bench.run<uint32_t>(c.name, 0, {{as<uint32_t>(c.argument)}})[0] == as<uint32_t>(c.result));
  }
}

TEST_CASE("div.approx gives zero for divisors above 2^126", "[float]") {
  Bench bench;
  const auto divide = [&](float a, float b) {
    return bench.run<uint32_t>("div.approx.f32", 0, {{as<uint32_t>(a)}, {as<uint32_t>(b)}})[0];
  };
  CHECK(divide(1e38f, 0x1.8p126f) == 0);
  CHECK(divide(-1e38f, 0x1.8p126f) == 0x80000000);
  CHECK(divide(HUGE_VALF, 0x1.8p126f) == kCanonicalNan);
  CHECK(divide(0x1p126f, 0x1p126f) == as<uint32_t>(1.0f));
  CHECK(divide(3.0f, HUGE_VALF) == 0);
  CHECK(divide(6.0f, -3.0f) == as<uint32_t>(-2.0f));
}

TEST_CASE("rcp and rsqrt of f64 use the upper words", "[float]") {
  Bench bench;
  const std::vector<uint64_t> inputs = {as<uint64_t>(3.0),  as<uint64_t>(3.0) | 0xFFFFFFFF,
                                        as<uint64_t>(0.0),  1,
                                        as<uint64_t>(-0.0), as<uint64_t>(1e308)};
  const auto r = bench.run<uint64_t>("rcp.approx.ftz.f64", 0, {inputs});
  CHECK(r[0] == (as<uint64_t>(1.0 / 3.0) & 0xFFFFFFFF00000000));
  CHECK(r[1] == r[0]);
  CHECK(as<double>(r[2]) == HUGE_VAL);
  CHECK(as<double>(r[3]) == HUGE_VAL);
  CHECK(as<double>(r[4]) == -HUGE_VAL);
  CHECK(r[5] == 0);
  const auto root = bench.run<uint64_t>("rsqrt.approx.ftz.f64", 0, {{as<uint64_t>(4.0), as<uint64_t>(-1.0)}});
  CHECK(as<double>(root[0]) == 0.5);
  CHECK(std::isnan(as<double>(root[1])));
  CHECK(as<double>(bench.run<uint64_t>("rsqrt.approx.f64", 0, {{as<uint64_t>(16.0)}})[0]) == 0.25);
}

}  // namespace
}  // namespace vgpu::test
