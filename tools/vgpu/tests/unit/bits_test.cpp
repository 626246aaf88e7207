// Logic, shifts, bit fields, permutation and dot products against bit-by-bit definitions.
#include <bitset>

#include "ops/integer_flags.h"
#include "tests/unit/lane_bench.h"

namespace vgpu::test {
namespace {

// Amounts and lengths: the sensible ones, their neighbours and those with bits above the low byte.
std::vector<uint32_t> amounts() {
  std::vector<uint32_t> values;
  for (uint32_t n = 0; n < 70; ++n) values.push_back(n);
  values.insert(values.end(), {127, 128, 255, 256, 257, 288, 0x80000000u, 0xFFFFFFFFu});
  return values;
}

template <class T>
bool bit(T x, int64_t index) {
  return index >= 0 && index < static_cast<int64_t>(8 * sizeof(T)) &&
         (static_cast<uint64_t>(x) >> index & 1) != 0;
}
template <class T, class Bit>
T from_bits(Bit value) {
  uint64_t x = 0;
  for (uint32_t i = 0; i < 8 * sizeof(T); ++i) x |= uint64_t{value(i) ? 1u : 0u} << i;
  return static_cast<T>(x);
}

template <class T>
void check_logic() {
  const std::string type = ".b" + std::to_string(8 * sizeof(T));
  const auto pairs = combinations(interesting<T>(), interesting<T>());
  const auto singles = combinations(interesting<T>());
  check_lanes<T>("and" + type, pairs,
                 [](T a, T b) { return from_bits<T>([&](int i) { return bit(a, i) && bit(b, i); }); });
  check_lanes<T>("or" + type, pairs,
                 [](T a, T b) { return from_bits<T>([&](int i) { return bit(a, i) || bit(b, i); }); });
  check_lanes<T>("xor" + type, pairs,
                 [](T a, T b) { return from_bits<T>([&](int i) { return bit(a, i) != bit(b, i); }); });
  check_lanes<T>("not" + type, singles, [](T a) { return from_bits<T>([&](int i) { return !bit(a, i); }); });
  check_lanes<T>("cnot" + type, singles, [](T a) { return static_cast<T>(!a); });
}

template <class T>
void check_shifts() {
  using S = std::make_signed_t<T>;
  const std::string bits = std::to_string(8 * sizeof(T));
  const auto cases = combinations(interesting<T>(), amounts());
  const auto signed_cases = combinations(interesting<S>(), amounts());
  check_lanes<T>("shl.b" + bits, cases,
                 [](T a, int64_t n) { return from_bits<T>([&](int i) { return bit(a, i - n); }); });
  check_lanes<T>("shr.u" + bits, cases,
                 [](T a, int64_t n) { return from_bits<T>([&](int i) { return bit(a, i + n); }); });
  check_lanes<S>("shr.s" + bits, signed_cases, [](S a, int64_t n) {
    const int64_t last = 8 * sizeof(S) - 1;
    return from_bits<S>([&](int i) { return bit(static_cast<T>(a), std::min(i + n, last)); });
  });
}

TEST_CASE("logic", "[bits]") {
  check_logic<uint16_t>();
  check_logic<uint32_t>();
  check_logic<uint64_t>();
}

TEST_CASE("shifts clamp their amount", "[bits]") {
  check_shifts<uint16_t>();
  check_shifts<uint32_t>();
  check_shifts<uint64_t>();
}

TEST_CASE("funnel shifts", "[bits]") {
  const auto cases = combinations(interesting<uint32_t>(), interesting<uint32_t>(), amounts());
  for (const bool wrap : {false, true}) {
    const std::string mode = wrap ? ".wrap" : ".clamp";
    auto amount = [wrap](uint32_t n) { return wrap ? n % 32 : std::min(n, 32u); };
    auto source = [](uint32_t a, uint32_t b, uint32_t i) { return i < 32 ? bit(a, i) : bit(b, i - 32); };
    check_lanes<uint32_t>("shf.l" + mode, cases, [&](uint32_t a, uint32_t b, uint32_t n) {
      return from_bits<uint32_t>([&](uint32_t i) { return source(a, b, i + 32 - amount(n)); });
    });
    check_lanes<uint32_t>("shf.r" + mode, cases, [&](uint32_t a, uint32_t b, uint32_t n) {
      return from_bits<uint32_t>([&](uint32_t i) { return source(a, b, i + amount(n)); });
    });
  }
}

// The highest bit that differs from the sign, -1 for none.
template <class T>
int highest(T a) {
  int found = -1;
  for (int i = 0; i < static_cast<int>(8 * sizeof(T)); ++i)
    if (bit(a, i) != (std::numeric_limits<T>::is_signed && a < 0)) found = i;
  return found;
}
template <class T>
void check_bfind(const std::string& type) {
  const auto cases = combinations(interesting<T>());
  check_lanes<uint32_t>("bfind." + type, cases, [](T a) { return static_cast<uint32_t>(highest(a)); });
  check_lanes<uint32_t>("bfind.shiftamt." + type, cases, [](T a) {
    const int found = highest(a), last = 8 * sizeof(T) - 1;
    return static_cast<uint32_t>(found < 0 ? -1 : last - found);
  });
}
template <class T>
void check_counts() {
  const std::string type = ".b" + std::to_string(8 * sizeof(T));
  const auto cases = combinations(interesting<T>());
  check_lanes<uint32_t>("popc" + type, cases, [](T a) { return std::bitset<64>(a).count(); });
  check_lanes<uint32_t>("clz" + type, cases,
                        [](T a) { return 8 * sizeof(T) - 1 - static_cast<size_t>(highest(a)); });
  check_lanes<T>("brev" + type, cases, [](T a) {
    return from_bits<T>([&](int i) { return bit(a, static_cast<int>(8 * sizeof(T)) - 1 - i); });
  });
}

TEST_CASE("counting and searching bits", "[bits]") {
  check_counts<uint32_t>();
  check_counts<uint64_t>();
  check_bfind<uint32_t>("u32");
  check_bfind<int32_t>("s32");
  check_bfind<uint64_t>("u64");
  check_bfind<int64_t>("s64");
  std::vector<uint32_t> bases, offsets;
  for (uint32_t i = 0; i < 32; ++i) bases.push_back(i);
  for (int i = -34; i <= 34; ++i) offsets.push_back(static_cast<uint32_t>(i));
  check_lanes<uint32_t>("fns.b32", combinations(interesting<uint32_t>(), bases, offsets),
                        [](uint32_t mask, uint32_t base, uint32_t offset) {
                          const int wanted = static_cast<int>(offset);
                          std::vector<int> set;  // in the order of the search
                          for (int i = static_cast<int>(base); i >= 0 && i < 32; i += wanted < 0 ? -1 : 1)
                            if (bit(mask, i)) set.push_back(i);
                          if (wanted == 0) return bit(mask, base) ? base : ~0u;
                          const size_t index = static_cast<size_t>(std::abs(wanted)) - 1;
                          return index < set.size() ? static_cast<uint32_t>(set[index]) : ~0u;
                        });
}

template <class T>
void check_bfe(const std::string& type) {
  check_lanes<T>(
      "bfe." + type, combinations(interesting<T>(), amounts(), amounts()), [](T a, uint32_t b, uint32_t c) {
        const int64_t position = b & 0xFF, length = c & 0xFF, last = 8 * sizeof(T) - 1;
        const bool is_signed = std::numeric_limits<T>::is_signed;
        const bool sign = is_signed && length != 0 && bit(a, std::min(position + length - 1, last));
        return from_bits<T>(
            [&](int i) { return i < length && position + i <= last ? bit(a, position + i) : sign; });
      });
}
template <class T>
void check_bfi(const std::string& type) {
  std::vector<std::tuple<T, T, uint32_t, uint32_t>> cases =
      combinations(interesting<T>(), interesting<T>(), amounts(), amounts());
  check_lanes<T>("bfi." + type, cases, [](T a, T b, uint32_t c, uint32_t d) {
    const int64_t position = c & 0xFF, length = d & 0xFF;
    return from_bits<T>(
        [&](int i) { return i >= position && i < position + length ? bit(a, i - position) : bit(b, i); });
  });
}

TEST_CASE("bit fields", "[bits]") {
  check_bfe<uint32_t>("u32");
  check_bfe<int32_t>("s32");
  check_bfe<uint64_t>("u64");
  check_bfe<int64_t>("s64");
  check_bfi<uint32_t>("b32");
  check_bfi<uint64_t>("b64");
  const auto masks = combinations(amounts(), amounts());
  check_lanes<uint32_t>("bmsk.wrap", masks, [](uint32_t a, uint32_t b) {
    return from_bits<uint32_t>([&](uint32_t i) { return i >= a % 32 && i < a % 32 + b % 32; });
  });
  check_lanes<uint32_t>("bmsk.clamp", masks, [](uint64_t a, uint64_t b) {
    return from_bits<uint32_t>([&](uint64_t i) { return i >= a && i < a + b; });
  });
  for (const bool wrap : {false, true}) {
    const std::string name = wrap ? "szext.wrap." : "szext.clamp.";
    auto extended = [wrap](uint32_t a, uint32_t b, bool is_signed) {
      const uint32_t n = wrap ? b % 32 : std::min(b, 32u);
      return from_bits<uint32_t>(
          [&](uint32_t i) { return n != 0 && (i < n ? bit(a, i) : is_signed && bit(a, n - 1)); });
    };
    const auto cases = combinations(interesting<uint32_t>(), amounts());
    check_lanes<uint32_t>(name + "s32", cases, [&](uint32_t a, uint32_t b) { return extended(a, b, true); });
    check_lanes<uint32_t>(name + "u32", cases, [&](uint32_t a, uint32_t b) { return extended(a, b, false); });
  }
}

TEST_CASE("prmt", "[bits]") {
  const auto cases = combinations(interesting<uint32_t>(), interesting<uint32_t>(), interesting<uint32_t>());
  auto bytes_of = [](uint32_t a, uint32_t b) {
    std::array<uint8_t, 8> bytes;
    std::memcpy(bytes.data(), &a, 4);
    std::memcpy(bytes.data() + 4, &b, 4);
    return bytes;
  };
  check_lanes<uint32_t>("prmt", cases, [&](uint32_t a, uint32_t b, uint32_t c) {
    const auto bytes = bytes_of(a, b);
    uint8_t d[4];
    for (int k = 0; k < 4; ++k) {
      const uint32_t nibble = c >> 4 * k & 0xF;
      d[k] = nibble < 8 ? bytes[nibble] : bytes[nibble - 8] >= 0x80 ? 0xFF : 0;
    }
    uint32_t whole;
    std::memcpy(&whole, d, 4);
    return whole;
  });
  // Index of byte k for a selector s, as the modes are named: forward, backward, replicate, edge clamp.
  struct Mode {
    const char* name;
    int (*index)(int k, int s);
  };
  const Mode modes[] = {
      {"prmt.f4e", [](int k, int s) { return s + k; }},
      {"prmt.b4e", [](int k, int s) { return (s - k) & 7; }},
      {"prmt.rc8", [](int, int s) { return s; }},
      {"prmt.ecl", [](int k, int s) { return std::max(k, s); }},
      {"prmt.ecr", [](int k, int s) { return std::min(k, s); }},
      {"prmt.rc16", [](int k, int s) { return s % 2 * 2 + k % 2; }},
  };
  for (const Mode& mode : modes)
    check_lanes<uint32_t>(mode.name, cases, [&](uint32_t a, uint32_t b, uint32_t c) {
      const auto bytes = bytes_of(a, b);
      uint32_t d = 0;
      for (int k = 0; k < 4; ++k)
        d |= uint32_t{bytes[static_cast<size_t>(mode.index(k, static_cast<int>(c & 3)))]} << 8 * k;
      return d;
    });
}

TEST_CASE("lop3", "[bits]") {
  const auto cases =
      combinations(interesting<uint32_t>(0), interesting<uint32_t>(3), interesting<uint32_t>(3));
  const std::vector<std::tuple<uint32_t, uint32_t, uint32_t>> few(cases.begin(), cases.begin() + 1024);
  for (int64_t table = 0; table < 256; ++table)
    check_lanes<uint32_t>("lop3", few,
                          [&](uint32_t a, uint32_t b, uint32_t c) {
                            return from_bits<uint32_t>(
                                [&](int i) { return bit(table, bit(a, i) * 4 + bit(b, i) * 2 + bit(c, i)); });
                          },
                          {.imm = table});
}

TEST_CASE("lop3 with predicates", "[bits]") {
  LaneBench bench;
  for (uint32_t i = 0; i < kLanes; ++i) {
    bench.slot<uint32_t>(1)[i] = i % 3;
    bench.slot<uint32_t>(2)[i] = i % 5;
    bench.slot<uint32_t>(3)[i] = ~0u;
  }
  Inst inst;
  inst.d = LaneBench::ref(0), inst.a = LaneBench::ref(1), inst.b = LaneBench::ref(2),
  inst.c = LaneBench::ref(3);
  inst.imm = 0x80;  // a & b & c
  bench.refs = {LaneBench::ref(4), LaneBench::ref(5)};
  const uint32_t q = 0x0F0F3355, before = 0xAAAAAAAA;
  for (const bool both : {false, true})
    for (const uint32_t exec : {~0u, 0x00FFFF0Fu}) {
      *bench.slot<uint32_t>(4) = before;
      *bench.slot<uint32_t>(5) = q;
      bench.run(both ? "lop3.and" : "lop3.or", inst, exec);
      for (uint32_t i = 0; i < kLanes; ++i) {
        const bool nonzero = ((i % 3) & (i % 5)) != 0;
        const bool expected = both ? nonzero && bit(q, i) : nonzero || bit(q, i);
        REQUIRE(bit(*bench.slot<uint32_t>(4), i) == (bit(exec, i) ? expected : bit(before, i)));
      }
    }
}

template <class A, class B>
void check_dot(const std::string& signs) {
  const auto cases = combinations(interesting<uint32_t>(), interesting<uint32_t>(), interesting<uint32_t>());
  using WideA = std::conditional_t<std::numeric_limits<A>::is_signed, int16_t, uint16_t>;
  check_lanes<uint32_t>("dp4a." + signs, cases, [](uint32_t a, uint32_t b, uint32_t c) {
    int64_t sum = c;
    for (int k = 0; k < 4; ++k) sum += int64_t{static_cast<A>(a >> 8 * k)} * static_cast<B>(b >> 8 * k);
    return static_cast<uint32_t>(sum);
  });
  for (const int first : {0, 2})
    check_lanes<uint32_t>(
        (first == 0 ? "dp2a.lo." : "dp2a.hi.") + signs, cases, [&](uint32_t a, uint32_t b, uint32_t c) {
          int64_t sum = c;
          for (int k = 0; k < 2; ++k)
            sum += int64_t{static_cast<WideA>(a >> 16 * k)} * static_cast<B>(b >> 8 * (first + k));
          return static_cast<uint32_t>(sum);
        });
}

TEST_CASE("dot products", "[bits]") {
  check_dot<uint8_t, uint8_t>("u32.u32");
  check_dot<uint8_t, int8_t>("u32.s32");
  check_dot<int8_t, uint8_t>("s32.u32");
  check_dot<int8_t, int8_t>("s32.s32");
}

TEST_CASE("logic of predicates", "[bits]") {
  LaneBench bench;
  const uint32_t a = 0x0F0F1234, b = 0x3355AACC, before = 0x5A5A5A5A, exec = 0xFFFF00F0;
  struct Operation {
    const char* name;
    uint32_t result;
  };
  for (const Operation& op : {Operation{"and.pred", a & b},
                              {"or.pred", a | b},
                              {"xor.pred", a ^ b},
                              {"not.pred", ~a},
                              {"mov.pred", a}}) {
    *bench.slot<uint32_t>(0) = before;
    *bench.slot<uint32_t>(1) = a;
    *bench.slot<uint32_t>(2) = b;
    Inst inst;
    inst.d = LaneBench::ref(0), inst.a = LaneBench::ref(1), inst.b = LaneBench::ref(2);
    bench.run(op.name, inst, exec);
    CHECK(*bench.slot<uint32_t>(0) == ((op.result & exec) | (before & ~exec)));
  }
}

}  // namespace
}  // namespace vgpu::test
