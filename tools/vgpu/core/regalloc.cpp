#include "core/regalloc.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>

namespace vgpu {

namespace {

struct Item {
  Interval life;
  size_t index;
};

// Gives every item the number of a slot; the number of slots is returned. Slots freed last are used first:
// they are the ones a cache still holds.
uint32_t scan(std::vector<Item>& items, std::vector<uint32_t>& slot_of) {
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.life.begin != b.life.begin ? a.life.begin < b.life.begin : a.index < b.index;
  });
  using Busy = std::pair<int32_t, uint32_t>;  // end, slot
  std::priority_queue<Busy, std::vector<Busy>, std::greater<>> busy;
  std::vector<uint32_t> free_slots;
  uint32_t slots = 0;
  for (const Item& item : items) {
    while (!busy.empty() && busy.top().first < item.life.begin) {
      free_slots.push_back(busy.top().second);
      busy.pop();
    }
    uint32_t slot = slots;
    if (free_slots.empty()) {
      ++slots;
    } else {
      slot = free_slots.back();
      free_slots.pop_back();
    }
    slot_of[item.index] = slot;
    busy.emplace(item.life.end, slot);
  }
  return slots;
}

}  // namespace

RegisterAllocation allocate_registers(const ptx::Function& fn) {
  const std::vector<Interval> lives = live_intervals(fn);
  std::map<uint32_t, std::vector<Item>> classes;  // by bytes a lane
  for (size_t r = 0; r < lives.size(); ++r)
    if (lives[r].begin >= 0) classes[ptx::size_of(fn.registers[r].type)].push_back({lives[r], r});

  RegisterAllocation result;
  result.slot.assign(lives.size(), kNoRef);
  std::vector<uint32_t> slot_of(lives.size(), 0);
  uint32_t words = 0;
  for (auto& [bytes_per_lane, items] : classes) {
    const uint32_t slots = scan(items, slot_of);
    for (const Item& item : items)
      result.slot[item.index] = result.bytes + slot_of[item.index] * slot_bytes(bytes_per_lane);
    result.bytes += (slots * slot_bytes(bytes_per_lane) + 63) & ~63u;
    words += bytes_per_lane == 0 ? 0 : slots * ((bytes_per_lane + 3) / 4);
  }
  result.estimated_registers = std::min(words + 8, 255u);
  return result;
}

AreaAllocation allocate_areas(const std::vector<Area>& areas) {
  std::map<uint32_t, std::vector<Item>> classes;
  for (size_t i = 0; i < areas.size(); ++i) classes[areas[i].bytes].push_back({areas[i].life, i});
  AreaAllocation result;
  result.offset.assign(areas.size(), 0);
  std::vector<uint32_t> slot_of(areas.size(), 0);
  for (auto& [bytes, items] : classes) {
    const uint32_t slots = scan(items, slot_of);
    for (const Item& item : items) result.offset[item.index] = result.bytes + slot_of[item.index] * bytes;
    result.bytes += slots * bytes;
  }
  return result;
}

}  // namespace vgpu
