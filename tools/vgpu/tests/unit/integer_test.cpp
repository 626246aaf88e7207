// Integer arithmetic against 128-bit arithmetic reduced to the type.
#include <limits>

#include "ops/integer_flags.h"
#include "tests/unit/lane_bench.h"

namespace vgpu::test {
namespace {

using Big = __int128;

template <class T>
std::string signed_name() {
  return (std::numeric_limits<T>::is_signed ? "s" : "u") + std::to_string(8 * sizeof(T));
}
template <class T>
std::string bits_name() {
  return "b" + std::to_string(8 * sizeof(T));
}
template <class T>
Big clamped(Big x) {
  const Big low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  return x < low ? low : x > high ? high : x;
}
template <class T>
T wrapped(Big x) {
  return static_cast<T>(static_cast<unsigned __int128>(x));
}
template <class T>
auto pairs() {
  return combinations(interesting<T>(), interesting<T>());
}
template <class T>
auto triples() {
  return combinations(interesting<T>(), interesting<T>(), interesting<T>());
}

template <class T>
void check_signless() {
  const std::string type = "." + bits_name<T>();
  check_lanes<T>("add" + type, pairs<T>(), [](Big a, Big b) { return wrapped<T>(a + b); });
  check_lanes<T>("sub" + type, pairs<T>(), [](Big a, Big b) { return wrapped<T>(a - b); });
  check_lanes<T>("neg" + type, combinations(interesting<T>()), [](Big a) { return wrapped<T>(-a); });
  check_lanes<T>("mul.lo" + type, pairs<T>(), [](Big a, Big b) {
    return wrapped<T>(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(b));
  });
  check_lanes<T>("mad.lo" + type, triples<T>(), [](Big a, Big b, Big c) {
    return wrapped<T>(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(b) +
                      static_cast<unsigned __int128>(c));
  });
}

// The upper half of a product; of 64-bit numbers, it would overflow a signed 128-bit one only for unsigned
// factors.
template <class T>
T high_product(T a, T b) {
  if constexpr (std::numeric_limits<T>::is_signed)
    return static_cast<T>(Big{a} * Big{b} >> 8 * sizeof(T));
  else
    return static_cast<T>(static_cast<unsigned __int128>(a) * b >> 8 * sizeof(T));
}

template <class T>
void check_signed() {
  const std::string type = "." + signed_name<T>();
  check_lanes<T>("min" + type, pairs<T>(), [](Big a, Big b) { return a < b ? a : b; });
  check_lanes<T>("max" + type, pairs<T>(), [](Big a, Big b) { return a < b ? b : a; });
  check_lanes<T>("mul.hi" + type, pairs<T>(), [](T a, T b) { return high_product(a, b); });
  check_lanes<T>("mad.hi" + type, triples<T>(),
                 [](T a, T b, T c) { return wrapped<T>(Big{high_product(a, b)} + Big{c}); });
  check_lanes<T>("sad" + type, triples<T>(),
                 [](Big a, Big b, Big c) { return wrapped<T>(c + (a > b ? a - b : b - a)); });
  check_lanes<T>("div" + type, pairs<T>(),
                 [](Big a, Big b) { return b == 0 ? wrapped<T>(-1) : wrapped<T>(a / b); });
  check_lanes<T>("rem" + type, pairs<T>(),
                 [](Big a, Big b) { return b == 0 ? wrapped<T>(-1) : wrapped<T>(a % b); });
}

template <class T, class Double>
void check_wide() {
  const std::string type = "." + signed_name<T>();
  check_lanes<Double>("mul.wide" + type, pairs<T>(), [](Big a, Big b) { return wrapped<Double>(a * b); });
  check_lanes<Double>("mad.wide" + type,
                      combinations(interesting<T>(), interesting<T>(), interesting<Double>()),
                      [](Big a, Big b, Big c) { return wrapped<Double>(a * b + c); });
}

template <class T>
Big low24(T x) {
  const int64_t bits = static_cast<int64_t>(x) & 0xFFFFFF;
  return std::numeric_limits<T>::is_signed && bits >= 0x800000 ? bits - 0x1000000 : bits;
}
template <class T>
void check_24() {
  const std::string type = "." + signed_name<T>();
  check_lanes<T>("mul24.lo" + type, pairs<T>(), [](T a, T b) { return wrapped<T>(low24(a) * low24(b)); });
  check_lanes<T>("mul24.hi" + type, pairs<T>(),
                 [](T a, T b) { return wrapped<T>(low24(a) * low24(b) >> 16); });
  check_lanes<T>("mad24.lo" + type, triples<T>(),
                 [](T a, T b, T c) { return wrapped<T>(low24(a) * low24(b) + Big{c}); });
  check_lanes<T>("mad24.hi" + type, triples<T>(),
                 [](T a, T b, T c) { return wrapped<T>((low24(a) * low24(b) >> 16) + Big{c}); });
}

TEST_CASE("integer arithmetic that wraps", "[integer]") {
  check_signless<uint16_t>();
  check_signless<uint32_t>();
  check_signless<uint64_t>();
}

TEST_CASE("integer arithmetic that depends on the sign", "[integer]") {
  check_signed<int16_t>();
  check_signed<uint16_t>();
  check_signed<int32_t>();
  check_signed<uint32_t>();
  check_signed<int64_t>();
  check_signed<uint64_t>();
  check_lanes<int16_t>("abs.s16", combinations(interesting<int16_t>()),
                       [](Big a) { return wrapped<int16_t>(a < 0 ? -a : a); });
  check_lanes<int32_t>("abs.s32", combinations(interesting<int32_t>()),
                       [](Big a) { return wrapped<int32_t>(a < 0 ? -a : a); });
  check_lanes<int64_t>("abs.s64", combinations(interesting<int64_t>()),
                       [](Big a) { return wrapped<int64_t>(a < 0 ? -a : a); });
}

TEST_CASE("products of 24 bits, and wide ones", "[integer]") {
  check_wide<int16_t, int32_t>();
  check_wide<uint16_t, uint32_t>();
  check_wide<int32_t, int64_t>();
  check_wide<uint32_t, uint64_t>();
  check_24<int32_t>();
  check_24<uint32_t>();
}

TEST_CASE("saturating integer arithmetic", "[integer]") {
  using S = int32_t;
  check_lanes<S>("add.sat.s32", pairs<S>(), [](Big a, Big b) { return clamped<S>(a + b); });
  check_lanes<S>("sub.sat.s32", pairs<S>(), [](Big a, Big b) { return clamped<S>(a - b); });
  check_lanes<S>("mad.hi.sat.s32", triples<S>(),
                 [](S a, S b, S c) { return clamped<S>(Big{high_product(a, b)} + c); });
  check_lanes<S>("mad24.hi.sat.s32", triples<S>(),
                 [](S a, S b, S c) { return clamped<S>((low24(a) * low24(b) >> 16) + c); });
  check_lanes<S>("min.relu.s32", pairs<S>(), [](S a, S b) { return std::max(0, std::min(a, b)); });
  check_lanes<S>("max.relu.s32", pairs<S>(), [](S a, S b) { return std::max(0, std::max(a, b)); });
}

template <class T, class Half>
void check_halves(const std::string& name, Half half) {
  check_lanes<uint32_t>(name, pairs<uint32_t>(), [&](uint32_t a, uint32_t b) {
    const T parts[2] = {static_cast<T>(half(static_cast<T>(a & 0xFFFF), static_cast<T>(b & 0xFFFF))),
                        static_cast<T>(half(static_cast<T>(a >> 16), static_cast<T>(b >> 16)))};
    uint32_t whole;
    std::memcpy(&whole, parts, sizeof(whole));
    return whole;
  });
}

TEST_CASE("pairs of 16-bit integers", "[integer]") {
  check_halves<uint16_t>("add.16x2", [](int a, int b) { return a + b; });
  check_halves<uint16_t>("min.u16x2", [](int a, int b) { return std::min(a, b); });
  check_halves<uint16_t>("max.u16x2", [](int a, int b) { return std::max(a, b); });
  check_halves<int16_t>("min.s16x2", [](int a, int b) { return std::min(a, b); });
  check_halves<int16_t>("max.s16x2", [](int a, int b) { return std::max(a, b); });
  check_halves<int16_t>("min.relu.s16x2", [](int a, int b) { return std::max(0, std::min(a, b)); });
  check_halves<int16_t>("max.relu.s16x2", [](int a, int b) { return std::max(0, std::max(a, b)); });
}

// A chain over two words of T: what the low one carries reaches the high one, lane by lane.
template <class T, class Whole>
void check_chain(const std::string& name, Whole whole) {
  LaneBench bench;
  std::mt19937_64 random(31);
  const std::vector<T> values = interesting<T>();
  for (int round = 0; round < 400; ++round) {
    for (uint32_t k = 2; k < 6; ++k)
      for (uint32_t i = 0; i < kLanes; ++i) bench.slot<T>(k)[i] = values[random() % values.size()];
    Inst low, high;
    low.d = LaneBench::ref(0), low.a = LaneBench::ref(2), low.b = LaneBench::ref(3),
    low.flags = carry::kWrite;
    high.d = LaneBench::ref(1), high.a = LaneBench::ref(4), high.b = LaneBench::ref(5);
    high.flags = carry::kRead | carry::kWrite;
    const uint32_t exec = static_cast<uint32_t>(random()), before = bench.warp.carry;
    bench.run(name, low, exec);
    bench.run(name, high, exec);
    for (uint32_t i = 0; i < kLanes; ++i) {
      if ((exec >> i & 1) == 0) {
        REQUIRE((bench.warp.carry >> i & 1) == (before >> i & 1));
        continue;
      }
      const auto lane = [&](uint32_t k) { return Big{bench.slot<T>(k)[i]}; };
      const Big unit = Big{1} << 8 * sizeof(T);
      const Big low_sum = whole(lane(2), lane(3)), low_carry = low_sum < 0 ? -1 : low_sum / unit;
      const Big high_sum = whole(lane(4), lane(5)) + low_carry;
      REQUIRE(bench.slot<T>(0)[i] == wrapped<T>(low_sum));
      REQUIRE(bench.slot<T>(1)[i] == wrapped<T>(high_sum));
      REQUIRE((bench.warp.carry >> i & 1) == (high_sum < 0 || high_sum >= unit));
    }
  }
}

TEST_CASE("carry chains", "[integer]") {
  check_chain<uint32_t>("addc.b32", [](Big a, Big b) { return a + b; });
  check_chain<uint64_t>("addc.b64", [](Big a, Big b) { return a + b; });
  check_chain<uint32_t>("subc.b32", [](Big a, Big b) { return a - b; });
  check_chain<uint64_t>("subc.b64", [](Big a, Big b) { return a - b; });
}

template <class T>
void check_carry_mad(const std::string& name, bool high) {
  LaneBench bench;
  std::mt19937_64 random(37);
  const std::vector<T> values = interesting<T>();
  using U = std::make_unsigned_t<T>;
  for (int round = 0; round < 400; ++round) {
    for (uint32_t k = 1; k < 4; ++k)
      for (uint32_t i = 0; i < kLanes; ++i) bench.slot<T>(k)[i] = values[random() % values.size()];
    const uint32_t carry_in = static_cast<uint32_t>(random());
    bench.warp.carry = carry_in;
    Inst inst;
    inst.d = LaneBench::ref(0), inst.a = LaneBench::ref(1), inst.b = LaneBench::ref(2),
    inst.c = LaneBench::ref(3);
    inst.flags = carry::kRead | carry::kWrite;
    bench.run(name, inst, ~0u);
    for (uint32_t i = 0; i < kLanes; ++i) {
      const T a = bench.slot<T>(1)[i], b = bench.slot<T>(2)[i];
      const U product =
          static_cast<U>(high ? high_product(a, b) : static_cast<T>(static_cast<U>(a) * static_cast<U>(b)));
      const Big sum = Big{product} + Big{static_cast<U>(bench.slot<T>(3)[i])} + Big{carry_in >> i & 1};
      REQUIRE(static_cast<U>(bench.slot<T>(0)[i]) == wrapped<U>(sum));
      REQUIRE((bench.warp.carry >> i & 1) == (sum >> 8 * sizeof(T) != 0));
    }
  }
}

TEST_CASE("multiply-add with carry", "[integer]") {
  check_carry_mad<uint32_t>("madc.lo.b32", false);
  check_carry_mad<uint64_t>("madc.lo.b64", false);
  check_carry_mad<int32_t>("madc.hi.s32", true);
  check_carry_mad<uint32_t>("madc.hi.u32", true);
  check_carry_mad<int64_t>("madc.hi.s64", true);
  check_carry_mad<uint64_t>("madc.hi.u64", true);
}

}  // namespace
}  // namespace vgpu::test
