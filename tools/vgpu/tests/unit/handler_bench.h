// Runs one handler on arrays of lanes, without an engine round it.
//
// Every batch runs three times: with all lanes, with some of them, and in place; the three must agree and
// lanes that do not run must keep what they held.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/warp.h"
#include "ops/handler_table.h"

namespace vgpu::test {

template <class To, class From>
To as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

class Bench {
 public:
  Bench() {
    warp_.base[0] = memory_;
    warp_.active = warp_.live = warp_.members = ~0u;
  }
  // d[i] = handler(inputs[0][i], inputs[1][i] ...); T holds the lane's bits.
  template <class T>
  std::vector<T> run(const std::string& name, uint32_t flags, std::vector<std::vector<T>> inputs) {
    const size_t count = inputs.at(0).size();
    std::vector<T> result(count);
    for (size_t first = 0; first < count; first += kLanes) {
      const size_t n = std::min<size_t>(kLanes, count - first);
      for (size_t k = 0; k < inputs.size(); ++k)
        std::memcpy(slot<T>(k + 1), &inputs[k][first], n * sizeof(T));
      step(name, flags, ~0u, 0);
      std::memcpy(&result[first], slot<T>(0), n * sizeof(T));
      check_partial<T>(name, flags, 0);
      check_partial<T>(name, flags, 1);
    }
    return result;
  }
  void step(const std::string& name, uint32_t flags, uint32_t exec, uint32_t destination, int64_t imm = 0) {
    const Handler handler = find_handler(name.c_str());
    if (handler == nullptr) throw std::runtime_error("no handler " + name);
    Inst inst;
    inst.d = destination * kSlot;
    inst.a = kSlot;
    inst.b = 2 * kSlot;
    inst.c = 3 * kSlot;
    inst.flags = static_cast<uint16_t>(flags);
    inst.imm = imm;
    warp_.exec = exec;
    handler(warp_, inst);
  }
  template <class T>
  T* slot(size_t index) {
    return reinterpret_cast<T*>(memory_ + index * kSlot);
  }

 private:
  static constexpr uint32_t kSlot = 512;

  // Runs again for random lanes, into `destination`, and compares with slot 0 as the full run left it.
  template <class T>
  void check_partial(const std::string& name, uint32_t flags, uint32_t destination) {
    T full[kLanes], before[kLanes], first_input[kLanes];
    std::memcpy(full, slot<T>(0), sizeof(full));
    std::memcpy(first_input, slot<T>(1), sizeof(first_input));
    for (T& value : before) value = static_cast<T>(random_());
    if (destination == 1) std::memcpy(before, first_input, sizeof(before));
    std::memcpy(slot<T>(destination), before, sizeof(before));
    const uint32_t exec = static_cast<uint32_t>(random_());
    step(name, flags, exec, destination);
    for (uint32_t i = 0; i < kLanes; ++i)
      if (slot<T>(destination)[i] != ((exec >> i & 1) != 0 ? full[i] : before[i]))
        throw std::runtime_error(name + ": lane " + std::to_string(i) + " differs under a partial mask");
    std::memcpy(slot<T>(0), full, sizeof(full));
    std::memcpy(slot<T>(1), first_input, sizeof(first_input));
  }

  alignas(64) uint8_t memory_[4 * kSlot] = {};
  Warp warp_;
  std::mt19937_64 random_{7};
};

}  // namespace vgpu::test
