// Atomics: every operation and type against a scalar reference, in every space, one address or many; then
// threads that compete for one address, and the same through PTX.
#include <cmath>
#include <functional>
#include <random>
#include <thread>

#include "tests/unit/catch.h"
#include "tests/unit/harness.h"
#include "tests/unit/memory_bench.h"

using namespace vgpu;
using namespace vgpu::test;
using ptx::Space;

namespace {

using Wide = unsigned __int128;

template <class To, class From>
To as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

// f16 and bf16 by definition, slowly: the value as a double, and the nearest pattern by search.
double half_value(uint16_t bits, int exponent_bits) {
  const int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return mantissa != 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

uint16_t half_bits(double value, int exponent_bits) {
  if (std::isnan(value)) return 0x7FFF;
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double wanted = std::fabs(value);
  const int mantissa_bits = 15 - exponent_bits;
  const uint16_t infinity = static_cast<uint16_t>(((1 << exponent_bits) - 1) << mantissa_bits);
  uint16_t low = 0, high = infinity;  // patterns are ordered as their values are
  while (high - low > 1) {
    const uint16_t middle = static_cast<uint16_t>((low + high) / 2);
    (half_value(middle, exponent_bits) <= wanted ? low : high) = middle;
  }
  const double below = half_value(low, exponent_bits);
  double above = half_value(high, exponent_bits);
  if (high == infinity) {  // overflow is decided as if the exponent went on
    above = 2 * half_value(static_cast<uint16_t>(infinity - (1 << mantissa_bits)), exponent_bits);
    if (std::isinf(wanted)) return sign | infinity;
  }
  const double to_below = wanted - below, to_above = above - wanted;
  const bool up = to_above < to_below || (to_above == to_below && (low & 1) != 0);
  return sign | (up ? high : low);
}

template <class T>
using Reference = std::function<T(T old, T b, T c, bool global)>;

template <class T>
using Noise = std::function<T(std::mt19937_64&)>;

// One execution over noise: memory and results against the reference, lanes in ascending order.
template <class T>
class Trial {
 public:
  Trial(MemoryBench& bench, Space space, uint32_t width, std::mt19937_64& random)
      : bench_(bench), space_(space), width_(width), random_(random) {}

  void place(T* global, bool one_address, const Noise<T>& noise) {
    for (uint32_t i = 0; i < kLanes; ++i) {
      const uint64_t index = one_address ? 0 : width_ * (random_() % (space_ == Space::Local ? 1 : 8));
      T* memory = global;
      if (space_ == Space::Shared) memory = reinterpret_cast<T*>(bench_.block().shared);
      if (space_ == Space::Local) memory = reinterpret_cast<T*>(bench_.local(i));
      place_.push_back(memory + index);
      const bool window = space_ == Space::Shared || space_ == Space::Local;
      address_.push_back(window ? index * sizeof(T) : reinterpret_cast<uint64_t>(place_.back()));
      for (uint32_t e = 0; e < width_; ++e) place_.back()[e] = noise(random_);
    }
  }
  void prepare(const std::string& name, uint32_t exec, const Noise<T>& noise) {
    bench_.set_addresses(space_, address_);
    Inst& inst = bench_.instruction(name, space_, width_);
    inst.b = 2 * MemoryBench::kSlot;
    inst.c = 3 * MemoryBench::kSlot;
    bench_.warp().exec = exec;
    for (uint32_t i = 0; i < kLanes; ++i) {
      for (uint32_t e = 0; e < width_; ++e) b(e)[i] = noise(random_);
      if (width_ == 1) bench_.slot<T>(3)[i] = noise(random_);
      // A cas that always misses would prove little.
      if (name.find("cas") != std::string::npos && i % 2 == 0) b(0)[i] = *place_[i];
    }
  }
  bool is_right(const Reference<T>& reference) {
    const std::vector<T> before = memory();
    const bool flushes = space_ == Space::Global || space_ == Space::Generic;
    std::vector<T> results;
    each([&](uint32_t i, uint32_t e) {
      const T old = place_[i][e], c = width_ == 1 ? bench_.slot<T>(3)[i] : T{};
      results.push_back(old);
      if (runs(i)) place_[i][e] = reference(old, b(e)[i], c, flushes);
    });
    const std::vector<T> after = memory();
    each([&](uint32_t i, uint32_t e) { place_[i][e] = before[i * width_ + e]; });
    bench_.run();
    bool right = memory() == after;
    each([&](uint32_t i, uint32_t e) { right = right && (!runs(i) || d(e)[i] == results[i * width_ + e]); });
    return right;
  }

 private:
  template <class Visit>
  void each(Visit visit) {
    for (uint32_t i = 0; i < kLanes; ++i)
      for (uint32_t e = 0; e < width_; ++e) visit(i, e);
  }
  std::vector<T> memory() {
    std::vector<T> values;
    each([&](uint32_t i, uint32_t e) { values.push_back(place_[i][e]); });
    return values;
  }
  bool runs(uint32_t i) { return (bench_.warp().exec >> i & 1) != 0; }
  T* b(uint32_t e) { return bench_.slot<T>(width_ == 1 ? 2 : 1 + e); }
  T* d(uint32_t e) { return bench_.slot<T>(width_ == 1 ? 1 : 1 + width_ + e); }

  MemoryBench& bench_;
  Space space_;
  uint32_t width_;
  std::mt19937_64& random_;
  std::vector<uint64_t> address_;
  std::vector<T*> place_;
};

template <class T>
void check(const std::string& name, const Reference<T>& reference, const Noise<T>& noise,
           uint32_t width = 1) {
  auto bench = std::make_unique<MemoryBench>();
  std::mt19937_64 random(5);
  DeviceArray<T> global(256);
  const Space spaces[] = {Space::Global, Space::Shared, Space::Local, Space::Generic};
  for (int round = 0; round < 64; ++round) {
    Trial<T> trial(*bench, spaces[round % 4], width, random);
    trial.place(global.data(), (round / 4) % 2 != 0, noise);
    trial.prepare(name, round < 32 ? ~0u : static_cast<uint32_t>(random()), noise);
    INFO(name << " round " << round);
    CHECK(trial.is_right(reference));
  }
}

template <class T>
T any(std::mt19937_64& random) {
  if constexpr (sizeof(T) == 16)
    return static_cast<T>(random()) << 64 | random();
  else
    return static_cast<T>(random());
}

template <class T>
void check_integer(const std::string& name, T (*reference)(T, T, T)) {
  check<T>(
      name, [reference](T old, T b, T c, bool) { return reference(old, b, c); }, any<T>);
}

template <class T>
void check_bitwise(const std::string& bits) {
  check_integer<T>("atom.and." + bits + ".v1", [](T old, T b, T) { return static_cast<T>(old & b); });
  check_integer<T>("atom.or." + bits + ".v1", [](T old, T b, T) { return static_cast<T>(old | b); });
  check_integer<T>("atom.xor." + bits + ".v1", [](T old, T b, T) { return static_cast<T>(old ^ b); });
  check_integer<T>("atom.add." + bits + ".v1", [](T old, T b, T) { return static_cast<T>(old + b); });
}

template <class T>
void check_order(const std::string& type) {
  check_integer<T>("atom.min." + type + ".v1", [](T old, T b, T) { return std::min(old, b); });
  check_integer<T>("atom.max." + type + ".v1", [](T old, T b, T) { return std::max(old, b); });
}

template <class T>
void check_swaps(const std::string& bits, bool exchange) {
  check_integer<T>("atom.cas." + bits + ".v1", [](T old, T b, T c) { return old == b ? c : old; });
  if (exchange) check_integer<T>("atom.exch." + bits + ".v1", [](T, T b, T) { return b; });
}

float flushed(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x;
}

uint32_t float_noise(std::mt19937_64& random) {
  static const uint32_t kSpecial[] = {0,           0x80000000u, 1,           0x80000001u,
                                      0x00400000u, 0x00800000u, 0x80800001u, 0x7F800000u,
                                      0xFF800000u, 0x7FC00000u, 0x3F800000u, 0x7F7FFFFFu};
  const uint64_t r = random();
  return r % 3 == 0 ? kSpecial[r / 3 % 12] : 0x3E000000u + static_cast<uint32_t>(r >> 32) % 0x04000000u;
}

uint16_t half_noise(std::mt19937_64& random) {
  static const uint16_t kSpecial[] = {0,      0x8000, 1,      0x8001, 0x0400, 0x7C00,
                                      0xFC00, 0x7E00, 0x3C00, 0x7BFF, 0x7F80, 0x7FC0};
  const uint64_t r = random();
  return r % 4 == 0 ? kSpecial[r / 4 % 12] : static_cast<uint16_t>(r >> 40);
}

uint16_t narrow_reference(const std::string& operation, uint16_t old, uint16_t b, int exponent_bits) {
  const double x = half_value(old, exponent_bits), y = half_value(b, exponent_bits);
  if (operation == "add") return half_bits(x + y, exponent_bits);
  if (std::isnan(x) || std::isnan(y)) return half_bits(std::isnan(x) ? y : x, exponent_bits);
  const bool old_less = x < y || (x == y && std::signbit(x) && !std::signbit(y));
  return old_less == (operation == "min") ? old : b;
}

}  // namespace

TEST_CASE("integer atomics") {
  check_bitwise<uint32_t>("b32");
  check_bitwise<uint64_t>("b64");
  check_order<uint32_t>("u32");
  check_order<int32_t>("s32");
  check_order<uint64_t>("u64");
  check_order<int64_t>("s64");
  check_swaps<uint16_t>("b16", false);
  check_swaps<uint32_t>("b32", true);
  check_swaps<uint64_t>("b64", true);
  check_swaps<Wide>("b128", true);
  const auto small = [](std::mt19937_64& random) { return static_cast<uint32_t>(random() % 8); };
  check<uint32_t>(
      "atom.inc.b32.v1", [](uint32_t old, uint32_t b, uint32_t, bool) { return old >= b ? 0 : old + 1; },
      small);
  check<uint32_t>(
      "atom.dec.b32.v1",
      [](uint32_t old, uint32_t b, uint32_t, bool) { return old == 0 || old > b ? b : old - 1; }, small);
}

TEST_CASE("f32 additions flush subnormals in global memory only") {
  const Reference<uint32_t> add = [](uint32_t old, uint32_t b, uint32_t, bool global) {
    float x = as<float>(old), y = as<float>(b);
    if (global) x = flushed(x), y = flushed(y);
    const float sum = x + y;
    if (std::isnan(sum)) return 0x7FFFFFFFu;
    return as<uint32_t>(global ? flushed(sum) : sum);
  };
  for (uint32_t width : {1u, 2u, 4u})
    check<uint32_t>("atom.add.f32.v" + std::to_string(width), add, float_noise, width);
}

TEST_CASE("f64 additions") {
  check<uint64_t>(
      "atom.add.f64.v1",
      [](uint64_t old, uint64_t b, uint64_t, bool) { return as<uint64_t>(as<double>(old) + as<double>(b)); },
      [](std::mt19937_64& random) {
        return as<uint64_t>(std::ldexp(static_cast<double>(random() % 1000003), -7));
      });
}

TEST_CASE("f16 and bf16: add, min and max, alone, packed and in vectors") {
  for (const char* operation : {"add", "min", "max"})
    for (int exponent_bits : {5, 8}) {
      const std::string name = "atom." + std::string(operation) + (exponent_bits == 5 ? ".f16" : ".bf16");
      const std::string op = operation;
      const Reference<uint16_t> one = [=](uint16_t old, uint16_t b, uint16_t, bool) {
        return narrow_reference(op, old, b, exponent_bits);
      };
      for (uint32_t width : {1u, 2u, 4u, 8u})
        check<uint16_t>(name + ".v" + std::to_string(width), one, half_noise, width);
      const Reference<uint32_t> two = [=](uint32_t old, uint32_t b, uint32_t, bool global) {
        const uint16_t low = one(static_cast<uint16_t>(old), static_cast<uint16_t>(b), 0, global);
        return static_cast<uint32_t>(
                   one(static_cast<uint16_t>(old >> 16), static_cast<uint16_t>(b >> 16), 0, global))
                   << 16 |
               low;
      };
      for (uint32_t width : {1u, 2u, 4u})
        check<uint32_t>(
            name + "x2.v" + std::to_string(width), two,
            [](std::mt19937_64& random) { return half_noise(random) | uint32_t{half_noise(random)} << 16; },
            width);
    }
}

TEST_CASE("threads that compete lose no update") {
  DeviceArray<uint32_t> counter(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&counter] {
      auto bench = std::make_unique<MemoryBench>();
      for (const char* name : {"atom.add.b32.v1", "atom.add.f32.v1"}) {
        const bool is_float = name[9] == 'f';
        bench->set_addresses(Space::Global,
                             std::vector<uint64_t>(kLanes, counter.address() + (is_float ? 4 : 0)));
        bench->instruction(name, Space::Global, 1).d = kNoRef;
        bench->inst().b = 2 * MemoryBench::kSlot;
        for (uint32_t i = 0; i < kLanes; ++i) bench->slot<uint32_t>(2)[i] = is_float ? as<uint32_t>(1.0f) : 1;
        for (int i = 0; i < 2000; ++i) bench->run();
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(counter[0] == 4 * 2000 * 32);
  CHECK(as<float>(counter[1]) == 4.0f * 2000 * 32);
}

TEST_CASE("atomics fault like stores and are announced as strong") {
  auto bench = std::make_unique<MemoryBench>();
  RecordingObserver observer;
  DeviceArray<uint32_t> data(8);
  bench->launch().observer = &observer;
  bench->set_addresses(Space::Global, std::vector<uint64_t>(kLanes, data.address()));
  bench->instruction("atom.add.b32.v1", Space::Global, 1).b = 2 * MemoryBench::kSlot;
  bench->run();
  REQUIRE(observer.seen.size() == 1);
  CHECK(observer.seen[0].access.kind == AccessKind::Atomic);
  CHECK(observer.seen[0].access.strong);
  std::string text;
  bench->inst().imm = 32;
  CHECK(bench->run_faulting(text) == 700);
  CHECK(text.find("out-of-bounds global atomic of 4 bytes") != std::string::npos);
  bench->inst().imm = 2;
  CHECK(bench->run_faulting(text) == 716);
}
