// The arena, its allocation table and the shadow behind it.
//
// Addresses grow only, so that a stale pointer never meets a new allocation; once the arena's end is reached,
// gaps that freed blocks left are used again, oldest address first. Pages nobody lives in any more go back to
// the system at once.
#include "core/device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <shared_mutex>

#include "core/report.h"
#include "core/settings.h"
#include "ops/memory_slow.h"

namespace vgpu {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kChunk = 64 << 10;  // granule in which pages are given back
constexpr uint64_t kRedZone = 256;
constexpr uint64_t kMinimumAlignment = 256;
constexpr size_t kRememberedFrees = 1 << 16;

uint64_t round_up(uint64_t value, uint64_t granule) {
  return (value + granule - 1) / granule * granule;
}

bool page_wise(MemoryKind kind) {
  return kind == MemoryKind::Pinned || kind == MemoryKind::Managed;
}

// Pinned memory is the host's; everything else takes from the device's capacity.
bool counts(MemoryKind kind) {
  return kind != MemoryKind::Pinned && kind != MemoryKind::Registered;
}

// Memory the host fills with plain stores, or that is zero by definition, counts as written from the start.
bool born_written(MemoryKind kind) {
  return kind != MemoryKind::Device && kind != MemoryKind::Heap;
}

bool shadow_wanted() {
  return (enabled_checks() & static_cast<uint32_t>(Check::Uninitialised)) != 0;
}

uint64_t reserve(uint64_t bytes) {
  void* base =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return base == MAP_FAILED ? 0 : reinterpret_cast<uint64_t>(base);
}

struct Entry {
  uint64_t begin = 0, end = 0;    // as the Allocation's
  uint64_t lower = 0, upper = 0;  // with padding: what nobody else may use
  std::unique_ptr<Allocation> allocation;
};

// The entry with the greatest begin <= address, or end().
std::vector<Entry>::const_iterator at_or_below(const std::vector<Entry>& table, uint64_t address) {
  auto above = std::upper_bound(table.begin(), table.end(), address,
                                [](uint64_t value, const Entry& entry) { return value < entry.begin; });
  return above == table.begin() ? table.end() : above - 1;
}

uint64_t distance_to(const Allocation& allocation, uint64_t address) {
  if (address < allocation.begin) return allocation.begin - address;
  return address < allocation.end ? 0 : address - allocation.end;
}

}  // namespace

struct DeviceMemory::State {
  mutable std::shared_mutex mutex;
  std::vector<Entry> arena, registered;  // sorted by begin
  uint64_t arena_begin = 0, arena_end = 0, frontier = 0;
  uint64_t shadow_distance = 0;
  uint64_t used = 0, capacity = 0;
  uint32_t last_number = 0;
  size_t freed = 0;             // entries of freed allocations that are still remembered
  uint32_t* tenants = nullptr;  // live allocations that touch a chunk

  const Allocation* find(uint64_t address) const;
  const Allocation* nearest(uint64_t address) const;
  void settle(uint64_t begin, uint64_t end, bool moving_in);
  bool find_gap(uint64_t bytes, uint64_t alignment, uint64_t& begin);
  void forget_freed(uint64_t lower, uint64_t upper);
  void forget_writes(uint64_t begin, uint64_t end);
  void insert(std::vector<Entry>& table, Entry entry);
  bool release(uint64_t address);
};

// Counts tenants; chunks that the last one has left are given back, shadow included.
void DeviceMemory::State::settle(uint64_t begin, uint64_t end, bool moving_in) {
  const uint64_t first = (begin - arena_begin) / kChunk;
  const uint64_t last = (std::max(end, begin + 1) - 1 - arena_begin) / kChunk;
  uint64_t empty_from = first;
  const auto give_back = [&](uint64_t until) {
    if (until <= empty_from) return;
    void* pages = reinterpret_cast<void*>(arena_begin + empty_from * kChunk);
    madvise(pages, (until - empty_from) * kChunk, MADV_DONTNEED);
    madvise(static_cast<uint8_t*>(pages) + shadow_distance, (until - empty_from) * kChunk, MADV_DONTNEED);
  };
  for (uint64_t chunk = first; chunk <= last; ++chunk) {
    tenants[chunk] += moving_in ? 1u : ~0u;
    if (tenants[chunk] != 0) {
      give_back(chunk);
      empty_from = chunk + 1;
    }
  }
  give_back(last + 1);
}

const Allocation* DeviceMemory::State::find(uint64_t address) const {
  for (const std::vector<Entry>* table : {&arena, &registered}) {
    const auto entry = at_or_below(*table, address);
    if (entry != table->end() && address < entry->end && !entry->allocation->freed)
      return entry->allocation.get();
  }
  return nullptr;
}

const Allocation* DeviceMemory::State::nearest(uint64_t address) const {
  const Allocation* best = nullptr;
  const auto consider = [&](const Entry& entry) {
    const Allocation* other = entry.allocation.get();
    if (best == nullptr || distance_to(*other, address) < distance_to(*best, address)) best = other;
  };
  for (const std::vector<Entry>* table : {&arena, &registered}) {
    const auto below = at_or_below(*table, address);
    if (below != table->end()) consider(*below);
    const auto above = below == table->end() ? table->begin() : below + 1;
    if (above != table->end()) consider(*above);
  }
  return best;
}

void DeviceMemory::State::insert(std::vector<Entry>& table, Entry entry) {
  auto above = std::upper_bound(table.begin(), table.end(), entry.begin,
                                [](uint64_t value, const Entry& other) { return value < other.begin; });
  table.insert(above, std::move(entry));
}

// Drops what is known of freed allocations within the bounds.
void DeviceMemory::State::forget_freed(uint64_t lower, uint64_t upper) {
  const size_t before = arena.size();
  arena.erase(std::remove_if(arena.begin(), arena.end(),
                             [&](const Entry& entry) {
                               return entry.allocation->freed && entry.lower < upper && entry.upper > lower;
                             }),
              arena.end());
  freed -= before - arena.size();
}

// Memory that is lent again is uninitialised again. Chunks inside it were given back, shadow included; those
// at its ends may have kept their pages for neighbours.
void DeviceMemory::State::forget_writes(uint64_t begin, uint64_t end) {
  const auto clear = [&](uint64_t from, uint64_t to) {
    if (from < to) memset(reinterpret_cast<void*>(from + shadow_distance), 0, to - from);
  };
  const uint64_t first_chunk_end = arena_begin + round_up(begin - arena_begin, kChunk);
  const uint64_t last_chunk_begin = arena_begin + (end - arena_begin) / kChunk * kChunk;
  clear(begin, std::min(first_chunk_end, end));
  clear(std::max(last_chunk_begin, begin), end);
}

// First fit among the gaps between live allocations, once the frontier has reached the arena's end.
bool DeviceMemory::State::find_gap(uint64_t bytes, uint64_t alignment, uint64_t& begin) {
  uint64_t gap = arena_begin;
  const auto fits = [&](uint64_t until) {
    begin = round_up(gap + kRedZone, alignment);
    return begin < until && until - begin >= bytes + kRedZone;
  };
  for (const Entry& entry : arena) {
    if (entry.allocation->freed) continue;
    if (fits(entry.lower)) return true;
    gap = entry.upper;
  }
  return fits(arena_end);
}

bool DeviceMemory::State::release(uint64_t address) {
  const auto entry = at_or_below(arena, address);
  if (entry == arena.end() || entry->begin != address || entry->allocation->freed) return false;
  Allocation& allocation = *entry->allocation;
  allocation.freed = true;
  ++freed;
  if (counts(allocation.kind)) used -= allocation.end - allocation.begin;
  __atomic_add_fetch(&memory_generation, 1, __ATOMIC_ACQ_REL);
  settle(entry->lower, entry->upper, false);
  if (freed > 2 * kRememberedFrees && freed > arena.size() / 2)
    forget_freed(arena_begin, arena[arena.size() / 2].begin);
  return true;
}

DeviceMemory& DeviceMemory::instance() {
  static DeviceMemory* memory = new DeviceMemory;  // never destroyed: kernels may outlive static destructors
  return *memory;
}

DeviceMemory::DeviceMemory() : state_(new State) {
  uint64_t shadow = 0;
  for (arena_size_ = kArenaSize; arena_size_ >= (1ull << 28); arena_size_ /= 2) {
    arena_ = reserve(arena_size_);
    shadow = arena_ == 0 ? 0 : reserve(arena_size_);
    if (shadow != 0) break;
    if (arena_ != 0) munmap(reinterpret_cast<void*>(arena_), arena_size_);
  }
  if (shadow == 0) {
    report_line("no address space for device memory");
    abort();
  }
  madvise(reinterpret_cast<void*>(arena_), arena_size_, MADV_DONTDUMP);
  madvise(reinterpret_cast<void*>(shadow), arena_size_, MADV_DONTDUMP);
  shadow_distance_ = shadow - arena_;
  state_->shadow_distance = shadow_distance_;
  state_->arena_begin = state_->frontier = arena_;
  state_->arena_end = arena_ + arena_size_;
  state_->tenants = reinterpret_cast<uint32_t*>(reserve(arena_size_ / kChunk * sizeof(uint32_t)));
  state_->capacity = settings().memory;
}

uint64_t DeviceMemory::allocate(uint64_t bytes, uint64_t alignment, MemoryKind kind, std::string name) {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  if (bytes > arena_size_ || (counts(kind) && (bytes > s.capacity || s.used > s.capacity - bytes))) return 0;
  alignment = std::max(alignment, page_wise(kind) ? kPage : kMinimumAlignment);
  const uint64_t room =
      page_wise(kind) ? round_up(std::max<uint64_t>(bytes, 1), kPage) : std::max<uint64_t>(bytes, 1);
  uint64_t begin = round_up(s.frontier + kRedZone, alignment);
  if (begin >= s.arena_end || s.arena_end - begin < room + kRedZone) {
    if (!s.find_gap(room, alignment, begin)) return 0;
    s.forget_freed(begin - kRedZone, begin + room + kRedZone);
    if (shadow_wanted()) s.forget_writes(begin, begin + room);
  }
  Entry entry;
  entry.begin = entry.lower = begin;
  entry.end = begin + bytes;
  entry.upper = begin + room;
  entry.allocation = std::make_unique<Allocation>();
  *entry.allocation = {begin, begin + bytes, kind, false, ++s.last_number, std::move(name), false};
  if (counts(kind)) s.used += bytes;
  s.frontier = std::max(s.frontier, entry.upper);
  s.settle(entry.lower, entry.upper, true);
  s.insert(s.arena, std::move(entry));
  lock.unlock();
  if (born_written(kind)) mark_written(begin, bytes);
  return begin;
}

bool DeviceMemory::release(uint64_t address) {
  std::unique_lock lock(state_->mutex);
  return state_->release(address);
}

bool DeviceMemory::register_host(uint64_t address, uint64_t bytes) {
  std::unique_lock lock(state_->mutex);
  if (address == 0 || bytes == 0 || address + bytes < address) return false;
  for (const Entry& other : state_->registered)
    if (address < other.end && other.begin < address + bytes) return false;
  if (address < state_->arena_end && address + bytes > state_->arena_begin) return false;
  Entry entry;
  entry.begin = entry.lower = address;
  entry.end = entry.upper = address + bytes;
  entry.allocation = std::make_unique<Allocation>();
  *entry.allocation = {address, address + bytes,       MemoryKind::Registered,
                       false,   ++state_->last_number, "cudaHostRegister",
                       false};
  state_->insert(state_->registered, std::move(entry));
  return true;
}

bool DeviceMemory::unregister_host(uint64_t address) {
  std::unique_lock lock(state_->mutex);
  for (auto entry = state_->registered.begin(); entry != state_->registered.end(); ++entry) {
    if (entry->begin != address) continue;
    state_->registered.erase(entry);
    __atomic_add_fetch(&memory_generation, 1, __ATOMIC_ACQ_REL);
    return true;
  }
  return false;
}

const Allocation* DeviceMemory::find(uint64_t address) const {
  std::shared_lock lock(state_->mutex);
  return state_->find(address);
}

const Allocation* DeviceMemory::nearest(uint64_t address) const {
  std::shared_lock lock(state_->mutex);
  return state_->nearest(address);
}

std::string DeviceMemory::describe(uint64_t address) const {
  std::shared_lock lock(state_->mutex);
  const Allocation* allocation = state_->nearest(address);
  if (allocation == nullptr) return "nothing has been allocated";
  const std::string what = std::string(allocation->freed ? "freed " : "") +
                           std::to_string(allocation->end - allocation->begin) + "-byte allocation #" +
                           std::to_string(allocation->number) + " (" + allocation->name + ")";
  const std::string distance = std::to_string(distance_to(*allocation, address)) + " bytes ";
  if (address < allocation->begin) return distance + "before the start of the " + what;
  if (address >= allocation->end) return distance + "past the end of the " + what;
  return std::to_string(address - allocation->begin) + " bytes into the " + what;
}

uint64_t DeviceMemory::used() const {
  std::shared_lock lock(state_->mutex);
  return state_->used;
}

uint64_t DeviceMemory::capacity() const {
  return state_->capacity;
}

void DeviceMemory::set_read_only(uint64_t address) {
  std::unique_lock lock(state_->mutex);
  const auto entry = at_or_below(state_->arena, address);
  if (entry != state_->arena.end() && entry->begin == address) entry->allocation->read_only = true;
}

void DeviceMemory::mark_written(uint64_t address, uint64_t bytes) {
  if (in_arena(address) && shadow_wanted()) memset(shadow(address), 1, bytes);
}

void DeviceMemory::copy_shadow(uint64_t to, uint64_t from, uint64_t bytes) {
  if (!in_arena(to) || !shadow_wanted()) return;
  if (in_arena(from))
    memmove(shadow(to), shadow(from), bytes);
  else
    mark_written(to, bytes);
}

void DeviceMemory::reset() {
  std::unique_lock lock(state_->mutex);
  std::vector<uint64_t> live;
  for (const Entry& entry : state_->arena)
    if (!entry.allocation->freed && entry.allocation->kind != MemoryKind::Symbol) live.push_back(entry.begin);
  for (uint64_t begin : live) state_->release(begin);
  state_->registered.clear();
  __atomic_add_fetch(&memory_generation, 1, __ATOMIC_ACQ_REL);
}

}  // namespace vgpu
