// Races in global memory: what the blocks of a launch may do to each other.
#include "tests/unit/check_words.h"

using namespace vgpu;
using namespace vgpu::test;

namespace {

// Three blocks of two warps; pcs: 4 plain load, 5 plain store, 6 atomic, 7 and 8 volatile.
struct Blocks : Words {
  Blocks() : Words(3, 64) {}
  void load(uint32_t b, uint32_t w, uint64_t offset) {
    access(b, w, 0, 4, AccessKind::Load, Space::Global, offset);
  }
  void store(uint32_t b, uint32_t w, uint64_t offset) {
    access(b, w, 0, 5, AccessKind::Store, Space::Global, offset);
  }
  void atomic(uint32_t b, uint32_t w, uint64_t offset) {
    access(b, w, 0, 6, AccessKind::Atomic, Space::Global, offset, 4, true);
  }
  void volatile_load(uint32_t b, uint64_t offset) {
    access(b, 0, 0, 7, AccessKind::Load, Space::Global, offset, 4, true);
  }
  void volatile_store(uint32_t b, uint64_t offset) {
    access(b, 0, 0, 8, AccessKind::Store, Space::Global, offset, 4, true);
  }
  void fence(uint32_t b, bool device = true) { observer.fence(warp(b, 0), device); }
};

}  // namespace

TEST_CASE("global memory between blocks that do not synchronise", "[race]") {
  Blocks blocks;
  SECTION("plain increments of one cell") {
    CHECK(contains(
        findings([&] {
          for (uint32_t b = 0; b < 2; ++b) {
            blocks.load(b, 0, 0);
            blocks.store(b, 0, 0);
          }
        }),
        "race: write by block (0,0,0) thread (0,0,0) and read by block (1,0,0) thread (0,0,0) of global "
        "memory 0 bytes into the 16384-byte allocation"));
  }
  SECTION("in place with a neighbour's value") {
    CHECK(contains(findings([&] {
                     blocks.load(0, 0, 4);
                     blocks.load(1, 0, 4);
                     blocks.store(1, 0, 4);
                   }),
                   "race: read"));
  }
  SECTION("atomics alone, and reads of what nobody writes") {
    CHECK(findings([&] {
            for (uint32_t b = 0; b < 3; ++b) {
              blocks.atomic(b, 0, 0);
              blocks.atomic(b, 1, 0);
              blocks.load(b, 0, 64);
            }
          }).empty());
  }
  SECTION("the next launch") {
    CHECK(findings([&] {
            blocks.store(0, 0, 0);
            blocks.end();
            blocks.begin();
            blocks.load(1, 0, 0);
          }).empty());
  }
}

TEST_CASE("global memory: the last block adds up", "[race]") {
  Blocks blocks;
  SECTION("as it should be") {
    CHECK(findings([&] {
            for (uint32_t b = 0; b < 3; ++b) {
              blocks.store(b, 1, 64 + 4 * b);
              blocks.barrier(b);
              blocks.fence(b);
              blocks.atomic(b, 0, 0);
              blocks.barrier(b);
            }
            for (uint32_t i = 0; i < 3; ++i) blocks.load(2, 1, 64 + 4 * i);
          }).empty());
  }
  SECTION("the fence is missing") {
    CHECK(contains(findings([&] {
                     for (uint32_t b = 0; b < 2; ++b) {
                       blocks.store(b, 0, 64 + 4 * b);
                       blocks.atomic(b, 0, 0);
                     }
                     blocks.load(1, 0, 64);
                   }),
                   "race: write by block (0,0,0)"));
  }
  SECTION("the barrier before the fence is missing") {
    CHECK(contains(findings([&] {
                     blocks.store(0, 1, 64);
                     blocks.fence(0);
                     blocks.atomic(0, 0, 0);
                     blocks.atomic(1, 0, 0);
                     blocks.load(1, 0, 64);
                   }),
                   "race: write by block (0,0,0) thread (32,0,0)"));
  }
  SECTION("the fence is for the block alone") {
    CHECK(contains(findings([&] {
                     blocks.store(0, 0, 64);
                     blocks.fence(0, false);
                     blocks.atomic(0, 0, 0);
                     blocks.atomic(1, 0, 0);
                     blocks.load(1, 0, 64);
                   }),
                   "race: write"));
  }
}

TEST_CASE("global memory: a chain of volatile flags", "[race]") {
  Blocks blocks;
  CHECK(findings([&] {
          for (uint32_t b = 0; b < 3; ++b) {
            if (b != 0) {
              blocks.volatile_load(b, 4 * (b - 1));
              blocks.load(b, 0, 64 + 4 * (b - 1));
            }
            blocks.store(b, 0, 64 + 4 * b);
            blocks.fence(b);
            blocks.volatile_store(b, 4 * b);
          }
        }).empty());
}

TEST_CASE("global memory: grid synchronisation", "[race]") {
  Blocks blocks;
  const auto grid_sync = [&] {
    for (uint32_t b = 0; b < 3; ++b) {
      blocks.barrier(b);
      blocks.fence(b);
      blocks.atomic(b, 0, 0);
    }
    for (uint32_t b = 0; b < 3; ++b) {
      blocks.volatile_load(b, 0);
      blocks.barrier(b);
    }
  };
  CHECK(findings([&] {
          for (uint32_t step = 0; step < 3; ++step) {
            for (uint32_t b = 0; b < 3; ++b) blocks.load(b, 1, 64 + 4 * ((b + 1) % 3));
            grid_sync();
            for (uint32_t b = 0; b < 3; ++b) blocks.store(b, 1, 64 + 4 * b);
            grid_sync();
            for (uint32_t b = 0; b < 3; ++b) blocks.load(b, 1, 64 + 4 * ((b + 1) % 3));
            grid_sync();
            for (uint32_t b = 0; b < 3; ++b) {  // reads again what the neighbour has read, then writes it
              blocks.load(b, 1, 64 + 4 * b);
              blocks.store(b, 1, 64 + 4 * b);
            }
            grid_sync();
          }
        }).empty());
  CHECK(contains(findings([&] {
                   blocks.load(0, 1, 128);  // no synchronisation between this and the write
                   blocks.load(1, 1, 128);
                   blocks.store(1, 1, 128);
                 }),
                 "race"));
  CHECK(contains(findings([&] {
                   blocks.store(0, 1, 64);
                   blocks.load(1, 1, 64);
                 }),
                 "race: write"));
}

TEST_CASE("unordered stores by one instruction are a race if they disagree", "[race]") {
  Words words(2, 32);
  uint32_t* word = reinterpret_cast<uint32_t*>(words.global);
  const auto store = [&](uint32_t b, uint32_t value) {
    words.access(b, 0, 0, 5, AccessKind::Store, Space::Global, 0);
    *word = value;
  };
  SECTION("the same flag") {
    CHECK(findings([&] {
            store(0, 1);
            store(1, 1);
            words.end();
          }).empty());
  }
  SECTION("different results") {
    CHECK(contains(findings([&] {
                     store(0, 1);
                     store(1, 2);
                     words.end();
                   }),
                   "race: write by block (0,0,0) thread (0,0,0) and write by block (1,0,0)"));
  }
}
