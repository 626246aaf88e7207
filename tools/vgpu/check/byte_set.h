// A set of byte addresses, exact: pages of bits. Adding a contiguous range is quick, most of all when it is
// there already; at the end the set is counted or turned into ranges.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "check/lane_runs.h"
#include "core/observe.h"

namespace vgpu::check {

class ByteSet {
 public:
  void add(uint64_t begin, uint64_t bytes) {
    const uint64_t last = begin + bytes - 1;
    if (begin >> 6 == last >> 6) {  // the usual case: within 64 bytes
      uint64_t& word = page_of(begin).bits[begin >> 6 & (kWords - 1)];
      word |= ones(bytes) << (begin & 63);
    } else {
      add_long(begin, last);
    }
  }
  uint64_t count() const;
  std::vector<Footprint::Range> ranges() const;  // sorted, disjoint, none touching the next
  void clear();

 private:
  static constexpr uint64_t kPageShift = 12, kWords = (1u << kPageShift) / 64, kCache = 64;
  struct Page {
    std::array<uint64_t, kWords> bits{};
  };
  struct Cached {
    uint64_t number = ~0ull;
    Page* page = nullptr;
  };
  static uint64_t ones(uint64_t count) { return count >= 64 ? ~0ull : (1ull << count) - 1; }
  Page& page_of(uint64_t address) {
    const uint64_t number = address >> kPageShift;
    Cached& slot = cache_[number % kCache];
    if (slot.number != number) slot = {number, &find_page(number)};
    return *slot.page;
  }
  Page& find_page(uint64_t number);
  void add_long(uint64_t first, uint64_t last);

  std::unordered_map<uint64_t, std::unique_ptr<Page>> pages_;
  std::array<Cached, kCache> cache_{};
};

// Adds what an access touches. `origin` is subtracted from its addresses.
void add_access(ByteSet& set, const Access& access, const LaneRuns& lanes, uint64_t origin);

}  // namespace vgpu::check
