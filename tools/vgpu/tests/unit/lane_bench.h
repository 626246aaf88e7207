// Runs one handler on lanes of mixed types against a scalar reference: for full and partial masks.
//
// Lanes that do not run must keep what they held.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "core/warp.h"
#include "ops/handler_table.h"
#include "tests/unit/catch.h"

namespace vgpu::test {

class LaneBench {
 public:
  static constexpr uint32_t kSlot = 512, kSlots = 10;

  LaneBench() {
    warp.base[0] = memory_;
    warp.active = warp.live = warp.members = ~0u;
    warp.refs = refs.data();
  }
  template <class T>
  T* slot(uint32_t index) {
    return reinterpret_cast<T*>(memory_ + index * kSlot);
  }
  static Ref ref(uint32_t index) { return index * kSlot; }
  void run(const std::string& name, const Inst& inst, uint32_t exec) {
    const Handler handler = find_handler(name.c_str());
    INFO(name);
    REQUIRE(handler != nullptr);
    warp.exec = exec;
    REQUIRE(handler(warp, inst) == Status::Next);
  }

  Warp warp;
  std::array<uint32_t, 16> refs{};

 private:
  alignas(64) uint8_t memory_[kSlot * kSlots] = {};
};

// Values worth trying of an integer type, then random ones of all magnitudes.
template <class T>
std::vector<T> interesting(size_t random_count = 40) {
  std::vector<T> values;
  for (unsigned bit = 0; bit < 8 * sizeof(T); ++bit)
    for (int64_t offset : {-1, 0, 1})
      values.push_back(static_cast<T>((uint64_t{1} << bit) + static_cast<uint64_t>(offset)));
  values.insert(values.end(),
                {static_cast<T>(-1), static_cast<T>(-2), static_cast<T>(-3), T{5}, T{7}, T{10}, T{100}});
  std::mt19937_64 random(17);
  for (size_t i = 0; i < random_count; ++i) values.push_back(static_cast<T>(random() >> random() % 64));
  return values;
}

// Combinations of the values of each operand: all of them where they are few, else a random choice.
template <class... A>
std::vector<std::tuple<A...>> combinations(const std::vector<A>&... values) {
  const size_t total = (values.size() * ... * 1), wanted = total < 40000 ? total : 40000;
  std::mt19937_64 random(23);
  std::vector<std::tuple<A...>> result;
  for (size_t n = 0; n < wanted; ++n) {
    size_t rest = total == wanted ? n : random() % total;
    auto take = [&](const auto& list) {
      const auto value = list[rest % list.size()];
      rest /= list.size();
      return value;
    };
    result.push_back(std::tuple<A...>{take(values)...});  // braces: left to right
  }
  return result;
}

struct Extras {
  uint16_t flags = 0;
  int64_t imm = 0;
};

// d = handler(a, b, c, refs[0]) for every case, compared with reference(a, b, ...). D is compared as bits.
template <class D, class... A, class Reference>
void check_lanes(const std::string& name, std::vector<std::tuple<A...>> cases, Reference reference,
                 Extras extras = {}) {
  while (cases.size() % kLanes != 0) cases.push_back(cases.front());
  LaneBench bench;
  std::mt19937_64 random(29);
  Inst inst;
  inst.d = LaneBench::ref(0);
  inst.a = LaneBench::ref(1);
  inst.b = LaneBench::ref(2);
  inst.c = LaneBench::ref(3);
  inst.flags = extras.flags;
  inst.imm = extras.imm;
  bench.refs[0] = LaneBench::ref(4);
  for (size_t first = 0; first < cases.size(); first += kLanes) {
    for (uint32_t i = 0; i < kLanes; ++i) {
      uint32_t index = 1;
      std::apply([&](auto... v) { ((bench.slot<decltype(v)>(index++)[i] = v), ...); }, cases[first + i]);
    }
    for (uint32_t exec : {~0u, static_cast<uint32_t>(random())}) {
      std::memset(bench.slot<uint8_t>(0), 0xA5, LaneBench::kSlot);
      D untouched;
      std::memcpy(&untouched, bench.slot<uint8_t>(0), sizeof(D));
      bench.run(name, inst, exec);
      for (uint32_t i = 0; i < kLanes; ++i) {
        const D expected =
            exec >> i & 1 ? static_cast<D>(std::apply(reference, cases[first + i])) : untouched;
        if (std::memcmp(&expected, &bench.slot<D>(0)[i], sizeof(D)) == 0) continue;
        std::string operands;
        std::apply([&](auto... v) { ((operands += " " + Catch::Detail::stringify(v)), ...); },
                   cases[first + i]);
        FAIL(name << " lane " << i << " of mask " << exec << ":" << operands << ": got "
                  << Catch::Detail::stringify(bench.slot<D>(0)[i]) << ", want "
                  << Catch::Detail::stringify(expected));
      }
    }
  }
  SUCCEED(name);
}

}  // namespace vgpu::test
