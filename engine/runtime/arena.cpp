#include "engine/runtime/arena.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "kernels/base/device_runtime.h"
#include "kernels/base/error.h"

namespace engine {

namespace {

constexpr size_t kAlign = 64, kDeviceAlign = 256;
constexpr size_t kGuard = 256;
constexpr int kPoison = 0xff;  // all ones: NaN as float and as double
constexpr int kGuardByte = 0xa5;

size_t round_up(size_t bytes, size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

bool all_guard(const std::byte* bytes) {
  return std::all_of(bytes, bytes + kGuard, [](std::byte b) { return b == std::byte{kGuardByte}; });
}

}  // namespace

Arena::Arena() : Arena(Options{}) {}

Arena::Arena(Options options) : options_(options) {
  CPM_CHECK(options.place.on_host() || !options.guards, "guard bands are for host memory");
}

Arena::~Arena() {
  give_back(base_);
}

size_t Arena::alignment() const {
  return options_.place.on_host() ? kAlign : kDeviceAlign;
}

std::byte* Arena::reserve(size_t bytes) const {
  kernels::DeviceRuntime& runtime = kernels::device_runtime(options_.place.backend);
  return static_cast<std::byte*>(runtime.allocate(options_.place.device, std::max<size_t>(bytes, 1)));
}

void Arena::give_back(std::byte* memory) const {
  if (memory == nullptr) return;
  kernels::device_runtime(options_.place.backend).release(options_.place.device, memory);
}

void Arena::measure() {
  CPM_CHECK(live_ == 0, "{} blocks are alive while an arena starts measuring", live_);
  mode_ = Mode::Measuring;
  peak_ = 0;
  free_ = {{0, std::numeric_limits<size_t>::max() / 2}};
}

void Arena::commit() {
  CPM_CHECK(mode_ == Mode::Measuring && live_ == 0, "{} blocks are alive while an arena commits", live_);
  give_back(std::exchange(base_, nullptr));
  base_ = reserve(peak_);
  reserved_ = peak_;
  free_ = {{0, reserved_}};
  mode_ = Mode::Committed;
}

size_t Arena::find_place(size_t bytes) {
  const auto hole =
      std::find_if(free_.begin(), free_.end(), [&](const auto& f) { return f.second >= bytes; });
  CPM_CHECK(hole != free_.end(), "an arena of {} bytes was asked for {} more than the dry run needed",
            reserved_, bytes);
  const size_t offset = hole->first, rest = hole->second - bytes;
  free_.erase(hole);
  if (rest > 0) free_[offset + bytes] = rest;
  peak_ = std::max(peak_, offset + bytes);
  return offset;
}

void Arena::release(size_t offset, size_t bytes) {
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && offset + bytes == next->first) {
    bytes += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto previous = std::prev(next);
    if (previous->first + previous->second == offset) {
      previous->second += bytes;
      return;
    }
  }
  free_[offset] = bytes;
}

std::shared_ptr<void> Arena::allocate(size_t bytes) {
  if (mode_ == Mode::Separate) return separate(bytes);
  const size_t size = round_up(std::max<size_t>(bytes, 1), alignment());
  const size_t offset = find_place(size);
  ++live_;
  // Measured blocks have no memory; any non-null address marks them as allocated.
  std::byte* data = measuring() ? reinterpret_cast<std::byte*>(kAlign) + offset : base_ + offset;
  return {data, [this, offset, size](void*) {
            --live_;
            release(offset, size);
          }};
}

std::shared_ptr<void> Arena::separate(size_t bytes) {
  const size_t size = round_up(std::max<size_t>(bytes, 1), alignment());
  const size_t guard = options_.guards ? kGuard : 0;
  // On a device exactly what was asked for, so that its own checkers see an overrun.
  std::byte* block = reserve(options_.place.on_host() ? size + 2 * guard : bytes);
  ++live_;
  separate_bytes_ += size;
  peak_ = std::max(peak_, separate_bytes_);
  if (guard > 0) {
    // The second band starts right after the last asked-for byte, so an overrun of one element is seen.
    std::memset(block, kGuardByte, size + 2 * guard);
    std::memset(block + guard, kPoison, bytes);
  }
  return {block + guard, [this, block, bytes, size, guard](void*) {
            if (guard > 0 && !(all_guard(block) && all_guard(block + guard + bytes))) ++violations_;
            --live_;
            separate_bytes_ -= size;
            give_back(block);
          }};
}

}  // namespace engine
