// Conversions against values computed another way: narrow formats by searching a table of all their values,
// wide ones by comparing neighbours, integers through 80-bit floating point.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/integer_flags.h"
#include "tests/unit/handler_bench.h"
#include "tests/unit/lane_bench.h"

namespace vgpu::test {
namespace {

constexpr Round kRounds[] = {Round::NearestEven, Round::Zero, Round::Down, Round::Up};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

uint16_t flags_for(Round round) {
  return static_cast<uint16_t>(round);
}

// A format by its fields; `finite_top`: the patterns of the largest exponent are numbers, too, all but the
// last.
struct Narrow {
  const char* name;
  int exponent_bits, mantissa_bits;
  bool finite_top;
  uint32_t nan;
  std::vector<double> values() const {  // of all patterns without sign, in order
    const int bias = (1 << (exponent_bits - 1)) - 1;
    std::vector<double> result;
    for (int pattern = 0; pattern < 1 << (exponent_bits + mantissa_bits); ++pattern) {
      const int exponent = pattern >> mantissa_bits, mantissa = pattern & ((1 << mantissa_bits) - 1);
      if (!finite_top && exponent == (1 << exponent_bits) - 1) break;
      const double fraction = std::ldexp(mantissa, -mantissa_bits);
      result.push_back(exponent == 0 ? std::ldexp(fraction, 1 - bias)
                                     : std::ldexp(1 + fraction, exponent - bias));
    }
    if (finite_top) result.pop_back();
    return result;
  }
};
const Narrow kHalf{"f16", 5, 10, false, 0x7FFF}, kBfloat{"bf16", 8, 7, false, 0x7FFF},
    kTf32{"tf32", 8, 10, false, 0x3FFFF};
const Narrow kE4m3{"e4m3x2", 4, 3, true, 0x7F}, kE5m2{"e5m2x2", 5, 2, false, 0x7F};

class Table {
 public:
  explicit Table(const Narrow& format) : format_(format), values_(format.values()) {}

  // The pattern of x, found by its neighbours in the table. Long double, so that 64-bit integers fit.
  uint32_t round(long double x, Round mode, bool finite) const {
    if (x != x) return format_.nan;
    const uint32_t sign = std::signbit(x) ? 1u << (format_.exponent_bits + format_.mantissa_bits) : 0;
    const long double magnitude = std::fabs(x);
    const auto above = std::upper_bound(values_.begin(), values_.end(), magnitude);
    const uint32_t low = static_cast<uint32_t>(above - values_.begin()) - 1;
    const long double below = values_[low], beyond = 2 * values_.back() - values_[values_.size() - 2];
    const long double next = low + 1 < values_.size() ? values_[low + 1] : beyond;
    const uint32_t largest = static_cast<uint32_t>(values_.size()) - 1;
    if (std::isinf(x)) return sign | (finite ? largest : largest + 1);
    uint32_t chosen = low;
    const long double middle = (below + next) / 2;
    if (mode == Round::NearestEven && (magnitude > middle || (magnitude == middle && low % 2 == 1))) ++chosen;
    if (mode == Round::NearestAway && magnitude >= middle) ++chosen;
    if (mode == Round::Up && magnitude > below && sign == 0) ++chosen;
    if (mode == Round::Down && magnitude > below && sign != 0) ++chosen;
    return sign | (finite ? std::min(chosen, largest) : chosen);
  }

  // Every value, the middles between neighbours and what lies next to them.
  template <class T>
  std::vector<T> sources(size_t step) const {
    std::vector<T> result;
    for (size_t i = 0; i < values_.size(); i += i < 40 || i + 40 > values_.size() ? 1 : step) {
      const T value = static_cast<T>(values_[i]);
      const double next = i + 1 < values_.size() ? values_[i + 1] : 2 * values_[i] - values_[i - 1];
      const T middle = static_cast<T>((values_[i] + next) / 2), infinity = std::numeric_limits<T>::infinity();
      for (T x : {value, std::nextafter(value, infinity), middle, std::nextafter(middle, infinity),
                  std::nextafter(middle, T{0})})
        result.insert(result.end(), {x, -x});
    }
    const T huge = std::numeric_limits<T>::max(), tiny = std::numeric_limits<T>::denorm_min();
    for (T x : {std::numeric_limits<T>::infinity(), huge, tiny, std::numeric_limits<T>::quiet_NaN()})
      result.insert(result.end(), {x, -x});
    return result;
  }

 private:
  Narrow format_;
  std::vector<double> values_;
};

template <class T>
std::vector<T> random_floats(size_t count) {
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  std::mt19937_64 random(41);
  std::vector<T> result;
  for (size_t i = 0; i < count; ++i) result.push_back(as<T>(static_cast<Bits>(random())));
  return result;
}
// Numbers that matter to integers: around powers of two and their halves.
template <class T>
std::vector<T> near_integers() {
  std::vector<T> result = {T{0}, std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                           std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::min()};
  for (int exponent = -2; exponent < 66; ++exponent)
    for (T offset : {T{-1}, T{-0.5}, T{-0.25}, T{0}, T{0.25}, T{0.5}, T{1}, T{1.5}}) {
      const T x = std::ldexp(T{1}, exponent) + offset;
      result.insert(result.end(), {x, std::nextafter(x, T{0}), std::nextafter(x, T{1e30f})});
    }
  for (size_t i = 0, n = result.size(); i < n; ++i) result.push_back(-result[i]);
  const auto random = random_floats<T>(500);
  result.insert(result.end(), random.begin(), random.end());
  return result;
}

template <class T>
T integral(T x, Round mode) {
  if (mode == Round::Zero) return std::trunc(x);
  if (mode == Round::Down) return std::floor(x);
  if (mode == Round::Up) return std::ceil(x);
  const T low = std::floor(x), rest = x - low;
  if (rest < T{0.5} || !(rest == rest)) return std::copysign(low, x);
  const T chosen = rest > T{0.5} || std::fmod(low, T{2}) != 0 ? low + 1 : low;
  return std::copysign(chosen, x);
}

template <class A>
float canonical_or(A x, float y) {
  return x != x ? as<float>(0x7FFFFFFFu) : y;
}

template <class D, class A>
void check_to_integer(const std::string& name) {
  for (Round mode : kRounds)
    check_lanes<D>(name, combinations(near_integers<A>()),
                   [&](A x) {
                     if (x != x)
                       return sizeof(A) == 8 || sizeof(D) == 8
                                  ? static_cast<D>(uint64_t{1} << (8 * sizeof(D) - 1))
                                  : D{0};
                     const long double y = integral(static_cast<long double>(x), mode);
                     if (y <= static_cast<long double>(std::numeric_limits<D>::min()))
                       return std::numeric_limits<D>::min();
                     if (y >= static_cast<long double>(std::numeric_limits<D>::max()))
                       return std::numeric_limits<D>::max();
                     return static_cast<D>(y);
                   },
                   {.flags = flags_for(mode)});
}
template <class D>
void check_both_to_integer(const std::string& type) {
  check_to_integer<D, float>("cvt." + type + ".f32");
  check_to_integer<D, double>("cvt." + type + ".f64");
}

// x as D, one of the two neighbours.
template <class D>
D rounded(long double x, Round mode) {
  if (x != x) return as<D>(static_cast<std::conditional_t<sizeof(D) == 8, uint64_t, uint32_t>>(0x7FFFFFFF));
  const D nearest = static_cast<D>(x), infinity = std::numeric_limits<D>::infinity();
  const D low = static_cast<long double>(nearest) > x ? std::nextafter(nearest, -infinity) : nearest;
  const D high = static_cast<long double>(nearest) < x ? std::nextafter(nearest, infinity) : nearest;
  if (mode == Round::Down || (mode == Round::Zero && x > 0)) return low;
  if (mode == Round::Up || mode == Round::Zero) return high;
  return nearest;
}

template <class D, class A>
void check_from_integer(const std::string& name) {
  for (Round mode : kRounds)
    check_lanes<D>(name, combinations(interesting<A>(600)),
                   [&](A x) { return rounded<D>(static_cast<long double>(x), mode); },
                   {.flags = flags_for(mode)});
}

TEST_CASE("float to integer", "[convert]") {
  check_both_to_integer<int8_t>("s8");
  check_both_to_integer<uint8_t>("u8");
  check_both_to_integer<int16_t>("s16");
  check_both_to_integer<uint16_t>("u16");
  check_both_to_integer<int32_t>("s32");
  check_both_to_integer<uint32_t>("u32");
  check_both_to_integer<int64_t>("s64");
  check_both_to_integer<uint64_t>("u64");
  const float tiny = std::numeric_limits<float>::denorm_min();
  const uint16_t up = flags_for(Round::Up);
  check_lanes<int32_t>("cvt.s32.f32", combinations(std::vector{tiny}), [](float) { return 1; },
                       {.flags = up});
  const uint16_t up_ftz = up | flag::kFtz;
  check_lanes<int32_t>("cvt.s32.f32", combinations(std::vector{tiny}), [](float) { return 0; },
                       {.flags = up_ftz});
}

TEST_CASE("integer to float", "[convert]") {
  check_from_integer<float, int32_t>("cvt.f32.s32");
  check_from_integer<float, uint32_t>("cvt.f32.u32");
  check_from_integer<float, int64_t>("cvt.f32.s64");
  check_from_integer<float, uint64_t>("cvt.f32.u64");
  check_from_integer<double, int32_t>("cvt.f64.s32");
  check_from_integer<double, uint32_t>("cvt.f64.u32");
  check_from_integer<double, int64_t>("cvt.f64.s64");
  check_from_integer<double, uint64_t>("cvt.f64.u64");
}

template <class T>
void check_integral(const std::string& name) {
  for (Round mode : kRounds)
    check_lanes<T>(
        name, combinations(near_integers<T>()),
        [&](T x) {
          if (sizeof(T) == 4 && x != x)
            return as<T>(static_cast<std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>>(0x7FFFFFFF));
          return x != x ? x + x : integral(x, mode);
        },
        {.flags = flags_for(mode)});
}

TEST_CASE("rounding to integral values", "[convert]") {
  check_integral<float>("round.f32");
  check_integral<double>("round.f64");
  for (const Narrow& format : {kHalf, kBfloat}) {
    const Table table(format);
    std::vector<uint16_t> patterns;
    for (uint32_t p = 0; p < 0x10000; p += 3) patterns.push_back(static_cast<uint16_t>(p));
    const std::vector<double> values = format.values();
    for (Round mode : kRounds)
      check_lanes<uint16_t>(std::string("round.") + format.name, combinations(patterns),
                            [&](uint16_t p) -> uint32_t {
                              const size_t magnitude = p & 0x7FFF;
                              if (magnitude > values.size()) return 0x7FFF;  // beyond infinity: NaN
                              if (magnitude == values.size()) return p;
                              const double x = p & 0x8000 ? -values[magnitude] : values[magnitude];
                              return table.round(integral(x, mode), Round::NearestEven, false);
                            },
                            {.flags = flags_for(mode)});
  }
}

TEST_CASE("between f32 and f64", "[convert]") {
  std::vector<double> doubles = random_floats<double>(2000);
  std::mt19937_64 random(43);
  for (int i = 0; i < 4000; ++i) {  // in the range of f32, with a few trailing bits
    const float f = as<float>(static_cast<uint32_t>(random()));
    const double step = std::ldexp(std::fabs(double{f}), -26) * static_cast<double>(random() % 9);
    doubles.insert(doubles.end(), {double{f}, double{f} + step,
                                   double{f} + double{std::numeric_limits<float>::denorm_min()} / 2});
  }
  for (double x : {0.0, 0x1p-149, 0x1p-150, 0x1.8p-150, 0x1p-200, 0x1p127, 0x1.fffffefffffffp127,
                   0x1.ffffffp127, 0x1p128, kInfinity})
    doubles.insert(doubles.end(), {x, -x});
  for (Round mode : kRounds) {
    check_lanes<float>("cvt.f32.f64", combinations(doubles),
                       [&](double x) { return rounded<float>(x, mode); }, {.flags = flags_for(mode)});
    check_lanes<float>("cvt.f32.f64", combinations(doubles),
                       [&](double x) {
                         const float y = rounded<float>(x, mode);
                         return std::fpclassify(y) == FP_SUBNORMAL ? std::copysign(0.0f, y) : y;
                       },
                       {.flags = static_cast<uint16_t>(flags_for(mode) | flag::kFtz)});
  }
  const auto floats = combinations(random_floats<float>(2000));
  check_lanes<double>("cvt.f64.f32", floats, [](float x) { return static_cast<double>(x); });
  check_lanes<float>("cvt.f32.f32", floats, [](float x) { return canonical_or(x, x); });
  check_lanes<float>("sat.f32", floats, [](float x) { return x != x || x <= 0 ? 0.0f : std::min(x, 1.0f); });
  check_lanes<double>("sat.f64", combinations(doubles),
                      [](double x) { return x != x || x <= 0 ? 0.0 : std::min(x, 1.0); });
}

TEST_CASE("f16 and bf16 to f32", "[convert]") {
  std::vector<uint16_t> patterns;
  for (uint32_t p = 0; p < 0x10000; ++p) patterns.push_back(static_cast<uint16_t>(p));
  for (const Narrow& format : {kHalf, kBfloat}) {
    const std::vector<double> values = format.values();
    const uint32_t one = Table(format).round(1, Round::Zero, false);
    auto value = [&](uint16_t p) {
      const size_t magnitude = p & 0x7FFF;
      const double x = magnitude < values.size()    ? values[magnitude]
                       : magnitude == values.size() ? kInfinity
                                                    : std::nan("");
      return canonical_or(x, static_cast<float>(p & 0x8000 ? -x : x));
    };
    check_lanes<float>(std::string("cvt.f32.") + format.name, combinations(patterns), value);
    check_lanes<uint16_t>(std::string("sat.") + format.name, combinations(patterns), [&](uint16_t p) {
      const float x = value(p);
      return x != x || x <= 0 ? 0 : x >= 1 ? one : uint32_t{p};
    });
  }
}

// Every combination of rounding, .relu and .satfinite of a conversion to a narrow format.
template <class D, class A>
void check_narrow(const std::string& name, const Narrow& format, const std::vector<A>& sources,
                  int unused_bits = 0) {
  const Table table(format);
  for (Round mode : {Round::NearestEven, Round::Zero, Round::Down, Round::Up, Round::NearestAway})
    for (uint32_t extra : {0, int{flag::kRelu}, int{convert::kFinite}, flag::kRelu | convert::kFinite})
      check_lanes<D>(name, combinations(sources),
                     [&](A x) -> D {
                       const long double value = static_cast<long double>(x);
                       if (value != value && unused_bits != 0) return static_cast<D>(0x7FFFFFFF);
                       if ((extra & flag::kRelu) != 0 && std::signbit(value) && value == value) return 0;
                       return static_cast<D>(table.round(value, mode, (extra & convert::kFinite) != 0)
                                             << unused_bits);
                     },
                     {.flags = static_cast<uint16_t>(flags_for(mode) | extra)});
}

TEST_CASE("to f16, bf16 and tf32", "[convert]") {
  check_narrow<uint16_t>("cvt.f16.f32", kHalf, Table(kHalf).sources<float>(37));
  check_narrow<uint16_t>("cvt.f16.f64", kHalf, Table(kHalf).sources<double>(37));
  check_narrow<uint16_t>("cvt.bf16.f32", kBfloat, Table(kBfloat).sources<float>(37));
  check_narrow<uint16_t>("cvt.bf16.f64", kBfloat, Table(kBfloat).sources<double>(37));
  check_narrow<uint32_t>("cvt.tf32.f32", kTf32, Table(kTf32).sources<float>(301), 13);
  check_narrow<uint16_t>("cvt.f16.f32", kHalf, random_floats<float>(2000));
  check_narrow<uint16_t>("cvt.bf16.f32", kBfloat, random_floats<float>(2000));
}

TEST_CASE("integers to f16 and bf16", "[convert]") {
  for (const Narrow& format : {kHalf, kBfloat}) {
    const std::string name = std::string("cvt.") + format.name;
    check_narrow<uint16_t>(name + ".s32", format, interesting<int32_t>(200));
    check_narrow<uint16_t>(name + ".u32", format, interesting<uint32_t>(200));
    std::vector<int64_t> wide = interesting<int64_t>(200);
    for (int shift = 0; shift < 54;
         ++shift)  // ties of bf16 and their neighbours, beyond what a double can tell apart
      for (int64_t offset : {-1, 0, 1}) wide.push_back((int64_t{0x181} << shift) + offset);
    check_narrow<uint16_t>(name + ".s64", format, wide);
    check_narrow<uint16_t>(name + ".u64", format, std::vector<uint64_t>(wide.begin(), wide.end()));
  }
}

template <class D>
void check_pair(const std::string& name, const Narrow& format, const std::vector<uint32_t>& extras) {
  const Table table(format);
  const std::vector<float> sources = table.sources<float>(97);
  for (uint32_t extra : extras)
    check_lanes<D>(name, combinations(sources, sources),
                   [&](float a, float b) {
                     auto one = [&](float x) {
                       if ((extra & flag::kRelu) != 0 && std::signbit(x) && x == x) return 0u;
                       return table.round(static_cast<long double>(x), Round::NearestEven,
                                          (extra & convert::kFinite) != 0);
                     };
                     return static_cast<D>(one(a) << 4 * sizeof(D) | one(b));
                   },
                   {.flags = static_cast<uint16_t>(extra)});
}

TEST_CASE("pairs of narrow floats: the first source goes up", "[convert]") {
  check_pair<uint32_t>("cvt.f16x2.f32", kHalf, {0, flag::kRelu});
  check_pair<uint32_t>("cvt.bf16x2.f32", kBfloat, {0, flag::kRelu});
  check_pair<uint16_t>("cvt.e4m3x2.f32", kE4m3, {convert::kFinite, convert::kFinite | flag::kRelu});
  check_pair<uint16_t>("cvt.e5m2x2.f32", kE5m2, {convert::kFinite, convert::kFinite | flag::kRelu});
}

TEST_CASE("fp8 from and to f16", "[convert]") {
  std::vector<uint32_t> words;
  std::mt19937 random(47);
  for (int i = 0; i < 5000; ++i) words.push_back(static_cast<uint32_t>(random()));
  std::vector<uint16_t> bytes;
  for (uint32_t p = 0; p < 0x10000; p += 7) bytes.push_back(static_cast<uint16_t>(p));
  const Table half(kHalf);
  const std::vector<double> half_values = kHalf.values();
  for (const Narrow& format : {kE4m3, kE5m2}) {
    const Table table(format);
    const std::vector<double> values = format.values();
    auto value = [](const std::vector<double>& list, uint32_t p, uint32_t sign, bool has_infinity) {
      const uint32_t magnitude = p & (sign - 1);
      const double x = magnitude < list.size()                    ? list[magnitude]
                       : has_infinity && magnitude == list.size() ? kInfinity
                                                                  : std::nan("");
      return p & sign ? -x : x;
    };
    check_lanes<uint16_t>(std::string("cvt.") + format.name + ".f16x2", combinations(words),
                          [&](uint32_t w) {
                            auto one = [&](uint32_t h) {
                              return table.round(
                                  static_cast<long double>(value(half_values, h, 0x8000, true)),
                                  Round::NearestEven, true);
                            };
                            return one(w >> 16) << 8 | one(w & 0xFFFF);
                          },
                          {.flags = convert::kFinite});
    for (const bool relu : {false, true})
      check_lanes<uint32_t>(std::string("cvt.f16x2.") + format.name, combinations(bytes),
                            [&](uint16_t w) {
                              auto one = [&](uint32_t b) {
                                const double x = value(values, b, 0x80, !format.finite_top);
                                if (relu && std::signbit(x) && x == x) return 0u;
                                return half.round(static_cast<long double>(x), Round::NearestEven, false);
                              };
                              return one(w >> 8) << 16 | one(w & 0xFFu);
                            },
                            {.flags = static_cast<uint16_t>(relu ? flag::kRelu : 0)});
  }
}

template <class D, class A>
void check_resize(const std::string& name) {
  check_lanes<D>(name, combinations(interesting<A>()),
                 [](A a) { return static_cast<D>(static_cast<__int128>(a)); });
}

TEST_CASE("integers to other sizes", "[convert]") {
  check_resize<uint16_t, uint8_t>("ext.b16.u8");
  check_resize<uint16_t, int8_t>("ext.b16.s8");
  check_resize<uint32_t, uint8_t>("ext.b32.u8");
  check_resize<uint32_t, int8_t>("ext.b32.s8");
  check_resize<uint64_t, uint8_t>("ext.b64.u8");
  check_resize<uint64_t, int8_t>("ext.b64.s8");
  check_resize<uint32_t, uint16_t>("ext.b32.u16");
  check_resize<uint32_t, int16_t>("ext.b32.s16");
  check_resize<uint64_t, uint16_t>("ext.b64.u16");
  check_resize<uint64_t, int16_t>("ext.b64.s16");
  check_resize<uint64_t, uint32_t>("ext.b64.u32");
  check_resize<uint64_t, int32_t>("ext.b64.s32");
  check_resize<uint8_t, uint16_t>("trunc.b8.b16");
  check_resize<uint8_t, uint32_t>("trunc.b8.b32");
  check_resize<uint8_t, uint64_t>("trunc.b8.b64");
  check_resize<uint16_t, uint32_t>("trunc.b16.b32");
  check_resize<uint16_t, uint64_t>("trunc.b16.b64");
  check_resize<uint32_t, uint64_t>("trunc.b32.b64");
}

}  // namespace
}  // namespace vgpu::test
