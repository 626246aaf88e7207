// The less frequent parts of ByteSet.
#include "check/byte_set.h"

#include <algorithm>

namespace vgpu::check {

ByteSet::Page& ByteSet::find_page(uint64_t number) {
  std::unique_ptr<Page>& page = pages_[number];
  if (!page) page = std::make_unique<Page>();
  return *page;
}

void ByteSet::add_long(uint64_t first, uint64_t last) {
  for (uint64_t at = first; at <= last;) {
    const uint64_t end = std::min(last, at | 63);
    page_of(at).bits[at >> 6 & (kWords - 1)] |= ones(end - at + 1) << (at & 63);
    at = end + 1;
  }
}

uint64_t ByteSet::count() const {
  uint64_t sum = 0;
  for (const auto& [number, page] : pages_) {
    for (uint64_t word : page->bits) sum += static_cast<uint64_t>(__builtin_popcountll(word));
  }
  return sum;
}

std::vector<Footprint::Range> ByteSet::ranges() const {
  std::vector<uint64_t> numbers;
  for (const auto& entry : pages_) numbers.push_back(entry.first);
  std::sort(numbers.begin(), numbers.end());
  std::vector<Footprint::Range> list;
  for (uint64_t number : numbers) {
    const Page& page = *pages_.at(number);
    for (uint64_t i = 0; i < kWords; ++i) {
      const uint64_t base = (number << kPageShift) + i * 64;
      for (uint64_t rest = page.bits[i]; rest != 0;) {
        const uint64_t skip = static_cast<uint64_t>(__builtin_ctzll(rest));
        const uint64_t shifted = ~(rest >> skip);
        const uint64_t length = shifted == 0 ? 64 : static_cast<uint64_t>(__builtin_ctzll(shifted));
        const uint64_t begin = base + skip;
        if (!list.empty() && list.back().end == begin) {
          list.back().end += length;
        } else {
          list.push_back({begin, begin + length});
        }
        rest &= ~(ones(length) << skip);
      }
    }
  }
  return list;
}

void ByteSet::clear() {
  pages_.clear();
  cache_.fill(Cached{});
}

void add_access(ByteSet& set, const Access& access, const LaneRuns& lanes, uint64_t origin) {
  for (uint32_t i = 0; i < lanes.count; ++i) {
    set.add(access.address[lanes.runs[i].lane] - origin, lanes.bytes(i, access));
  }
}

}  // namespace vgpu::check
