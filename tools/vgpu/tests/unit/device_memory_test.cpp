// The allocation table: bounds, red zones, numbers, frees, registered host memory, exhaustion, shadow.
#include <algorithm>
#include <cstdlib>
#include <thread>
#include <vector>

#include "core/device_memory.h"
#include "core/warp.h"
#include "tests/unit/catch.h"

using namespace vgpu;

namespace {

DeviceMemory& memory() {
  return DeviceMemory::instance();
}

uint64_t allocate(uint64_t bytes, MemoryKind kind = MemoryKind::Device, uint64_t alignment = 256) {
  return memory().allocate(bytes, alignment, kind, "cudaMalloc");
}

}  // namespace

TEST_CASE("allocations are aligned, apart and found byte by byte") {
  const uint64_t one = allocate(1), two = allocate(1000), three = allocate(64, MemoryKind::Device, 4096);
  CHECK(one % 256 == 0);
  CHECK(two % 256 == 0);
  CHECK(three % 4096 == 0);
  CHECK(two >= one + 1 + 256);
  CHECK(memory().find(one)->begin == one);
  CHECK(memory().find(one + 1) == nullptr);
  CHECK(memory().find(two + 999) == memory().find(two));
  CHECK(memory().find(two + 1000) == nullptr);
  CHECK(memory().find(two - 1) == nullptr);
  CHECK(memory().find(0) == nullptr);
  CHECK(memory().find(~0ull) == nullptr);
  CHECK(memory().find(two)->number == memory().find(one)->number + 1);
  CHECK(memory().in_arena(two));
  CHECK_FALSE(memory().in_arena(reinterpret_cast<uint64_t>(&one)));
}

TEST_CASE("pinned and managed memory has its pages to itself") {
  for (MemoryKind kind : {MemoryKind::Pinned, MemoryKind::Managed}) {
    const uint64_t before = allocate(8), block = allocate(5000, kind), after = allocate(8);
    CHECK(block % 4096 == 0);
    CHECK(memory().find(block)->end == block + 5000);
    CHECK(before + 8 <= block);
    CHECK(after >= block + 8192);
  }
}

TEST_CASE("freed memory is not found, remembered and never used again") {
  const uint64_t block = allocate(300);
  const uint64_t used = memory().used();
  CHECK_FALSE(memory().release(block + 1));
  CHECK(memory().release(block));
  CHECK(memory().used() == used - 300);
  CHECK_FALSE(memory().release(block));
  CHECK(memory().find(block) == nullptr);
  REQUIRE(memory().nearest(block + 10) != nullptr);
  CHECK(memory().nearest(block + 10)->freed);
  for (int i = 0; i < 100; ++i) CHECK(allocate(300) != block);
}

TEST_CASE("addresses are described by the nearest allocation") {
  const uint64_t block = allocate(4000);
  const std::string name =
      "4000-byte allocation #" + std::to_string(memory().find(block)->number) + " (cudaMalloc)";
  CHECK(memory().describe(block + 4000) == "0 bytes past the end of the " + name);
  CHECK(memory().describe(block + 4012) == "12 bytes past the end of the " + name);
  CHECK(memory().describe(block - 4) == "4 bytes before the start of the " + name);
  CHECK(memory().describe(block + 5) == "5 bytes into the " + name);
  memory().release(block);
  CHECK(memory().describe(block + 5) == "5 bytes into the freed " + name);
}

TEST_CASE("large blocks come back as zero pages once freed, neighbours keep theirs") {
  const uint64_t small = allocate(100), large = allocate(1 << 20), other = allocate(100);
  *reinterpret_cast<int*>(small) = 1;
  *reinterpret_cast<int*>(other) = 2;
  int* middle = reinterpret_cast<int*>(large + (1 << 19));
  *middle = 3;
  CHECK(memory().release(large));
  CHECK(*middle == 0);
  CHECK(*reinterpret_cast<int*>(small) == 1);
  CHECK(*reinterpret_cast<int*>(other) == 2);
}

TEST_CASE("registered host memory is a range like any other") {
  std::vector<uint8_t> host(1000);
  const uint64_t begin = reinterpret_cast<uint64_t>(host.data());
  CHECK(memory().find(begin) == nullptr);
  REQUIRE(memory().register_host(begin, 1000));
  CHECK_FALSE(memory().register_host(begin + 10, 10));
  CHECK_FALSE(memory().register_host(0, 10));
  REQUIRE(memory().find(begin + 999) != nullptr);
  CHECK(memory().find(begin + 999)->kind == MemoryKind::Registered);
  CHECK(memory().find(begin + 1000) == nullptr);
  CHECK_FALSE(memory().release(begin));
  CHECK_FALSE(memory().unregister_host(begin + 1));
  CHECK(memory().unregister_host(begin));
  CHECK(memory().find(begin) == nullptr);
  CHECK_FALSE(memory().unregister_host(begin));
}

TEST_CASE("the capacity is a limit, pinned memory does not count") {
  const uint64_t used = memory().used();
  CHECK(allocate(memory().capacity() - used + 1) == 0);
  CHECK(allocate(~0ull) == 0);
  const uint64_t pinned = allocate(4096, MemoryKind::Pinned);
  CHECK(memory().used() == used);
  const uint64_t rest = allocate(memory().capacity() - used);
  CHECK(rest != 0);
  CHECK(memory().used() == memory().capacity());
  CHECK(allocate(1) == 0);
  CHECK(memory().release(rest));
  CHECK(memory().release(pinned));
}

TEST_CASE("once the arena's addresses are used up, gaps of freed blocks serve again") {
  const uint64_t kept = allocate(1 << 20);
  *reinterpret_cast<int*>(kept) = 77;
  const uint64_t size = 3ull << 30;
  for (int i = 0; i < 60; ++i) {
    const uint64_t block = allocate(size);
    REQUIRE(block != 0);
    CHECK(memory().find(block + size - 1)->begin == block);
    CHECK(memory().find(kept)->begin == kept);
    CHECK((block >= kept + (1 << 20) || block + size <= kept));
    *reinterpret_cast<int*>(block) = i;
    REQUIRE(memory().release(block));
  }
  CHECK(*reinterpret_cast<int*>(kept) == 77);
}

TEST_CASE("reset frees everything but symbols") {
  const uint64_t symbol = allocate(16, MemoryKind::Symbol), data = allocate(16),
                 heap = allocate(16, MemoryKind::Heap);
  memory().reset();
  CHECK(memory().find(symbol) != nullptr);
  CHECK(memory().find(data) == nullptr);
  CHECK(memory().find(heap) == nullptr);
}

TEST_CASE("threads may allocate, look up and free at once") {
  std::vector<std::thread> threads;
  std::vector<int> errors(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&errors, t] {
      for (int i = 0; i < 2000; ++i) {
        const uint64_t block = allocate(64 + static_cast<uint64_t>(i % 7) * 1000);
        const Allocation* found = memory().find(block + 63);
        if (found == nullptr || found->begin != block) ++errors[static_cast<size_t>(t)];
        if (!memory().release(block)) ++errors[static_cast<size_t>(t)];
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(errors == std::vector<int>(4));
}

TEST_CASE("memory used again is uninitialised again", "[uninit]") {
  const uint64_t size = 5000, before = allocate(size), victim = allocate(size), behind = allocate(size);
  for (uint64_t block : {before, victim, behind}) memory().mark_written(block, size);
  REQUIRE(memory().release(victim));
  for (uint64_t large = 8ull << 30; large >= size / 2;
       large /= 2) {  // up to the arena's end, so that gaps serve
    for (int i = 0; i < 9; ++i) {
      const uint64_t block = allocate(large);
      REQUIRE(block != 0);
      REQUIRE(memory().release(block));
    }
  }
  uint64_t again = 0;
  for (int i = 0; i < 1000 && again != victim; ++i) {
    again = allocate(size);
    REQUIRE(again != 0);
    const uint8_t* shadow = memory().shadow(again);
    CHECK(std::count(shadow, shadow + size, 0) == static_cast<std::ptrdiff_t>(size));
  }
  CHECK(again == victim);
  for (uint64_t neighbour : {before, behind}) {
    CHECK(memory().shadow(neighbour)[0] != 0);
    CHECK(memory().shadow(neighbour)[size - 1] != 0);
  }
}

TEST_CASE("the shadow follows copies", "[uninit]") {
  const uint64_t from = allocate(64), to = allocate(64), pinned = allocate(64, MemoryKind::Pinned);
  CHECK(*memory().shadow(pinned) != 0);
  memory().mark_written(from + 8, 8);
  memory().copy_shadow(to, from, 64);
  CHECK(memory().shadow(to)[7] == 0);
  CHECK(memory().shadow(to)[8] != 0);
  CHECK(memory().shadow(to)[16] == 0);
  uint64_t host = 0;
  memory().copy_shadow(to, reinterpret_cast<uint64_t>(&host), 8);
  CHECK(memory().shadow(to)[0] != 0);
}
