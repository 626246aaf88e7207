// Races in shared memory: barriers of blocks, warps and some warps, bytes of a word, cp.async.
#include "tests/unit/check_words.h"

using namespace vgpu;
using namespace vgpu::test;

TEST_CASE("shared memory: order by barriers", "[race]") {
  Words words;
  SECTION("none between warps") {
    CHECK(contains(findings([&] {
                     words.read(0, 0, 0);
                     words.write(1, 0, 0);
                   }),
                   "race: read by thread (0,0,0) and write by thread (32,0,0)"));
  }
  SECTION("a barrier between") {
    CHECK(findings([&] {
            words.write(0, 0, 0);
            words.barrier();
            words.read(1, 0, 0);
            words.read(2, 4, 0);
            words.barrier();
            words.write(3, 7, 0);
          }).empty());
  }
  SECTION("the reader that is overwritten is not the last one") {
    CHECK(contains(findings([&] {
                     words.read(0, 0, 0);
                     words.read(1, 0, 0);
                     words.write(1, 0, 0);
                   }),
                   "race: read"));
  }
  SECTION("a thread may do as it likes with its own word") {
    CHECK(findings([&] {
            words.read(1, 3, 8);
            words.write(1, 3, 8);
            words.read(1, 3, 8);
            words.write(1, 3, 8);
          }).empty());
  }
}

TEST_CASE("shared memory: lockstep is no order, bar.warp.sync is", "[race]") {
  Words words;
  SECTION("write, then another lane reads") {
    CHECK(contains(findings([&] {
                     words.write(0, 0, 0);
                     words.read(0, 1, 0);
                   }),
                   "race: write by thread (0,0,0) and read by thread (1,0,0)"));
  }
  SECTION("read, then another lane writes") {
    CHECK(contains(findings([&] {
                     words.read(0, 0, 0);
                     words.read(0, 1, 0);
                     words.write(0, 1, 0);
                   }),
                   "race: read"));
  }
  SECTION("all lanes synchronise") {
    CHECK(findings([&] {
            words.write(0, 0, 0);
            words.observer.warp_barrier(words.warp(0, 0), ~0u);
            words.read(0, 1, 0);
            words.read(0, 0, 0);
            words.observer.warp_barrier(words.warp(0, 0), ~0u);
            words.read(0, 0, 0);
            words.write(0, 0, 0);
          }).empty());
  }
  SECTION("a warp's sync does not order other warps") {
    CHECK(contains(findings([&] {
                     words.write(0, 3, 0);
                     words.observer.warp_barrier(words.warp(0, 0), ~0u);
                     words.observer.warp_barrier(words.warp(0, 1), ~0u);
                     words.read(1, 3, 0);
                   }),
                   "race: write"));
  }
}

TEST_CASE("shared memory: bar.warp.sync of some lanes", "[race]") {
  Words words;
  SECTION("some lanes synchronise, along a chain") {
    CHECK(findings([&] {
            words.write(0, 3, 0);
            words.observer.warp_barrier(words.warp(0, 0), 0x18);
            words.observer.warp_barrier(words.warp(0, 0), 0x30);
            words.read(0, 5, 0);
          }).empty());
  }
  SECTION("others synchronise") {
    CHECK(contains(findings([&] {
                     words.write(0, 3, 0);
                     words.observer.warp_barrier(words.warp(0, 0), 0x30);
                     words.read(0, 5, 0);
                   }),
                   "race: write"));
  }
  SECTION("of several readers, one has met the writer") {
    words.observer.warp_barrier(words.warp(0, 0), 0x3);
    CHECK(contains(findings([&] {
                     words.read(0, 0, 0);
                     words.read(0, 2, 0);
                     words.observer.warp_barrier(words.warp(0, 0), 0xA);
                     words.write(0, 3, 0);
                   }),
                   "race: read by several threads, among them thread (2,0,0), and write by thread (3,0,0)"));
  }
  SECTION("the last reader has met the writer") {
    CHECK(findings([&] {
            words.read(0, 0, 0);
            words.observer.warp_barrier(words.warp(0, 0), 0x5);
            words.read(0, 2, 0);
            words.observer.warp_barrier(words.warp(0, 0), 0xC);
            words.write(0, 3, 0);
          }).empty());
  }
  SECTION("a sync of some lanes before one of all is of no account") {
    words.observer.warp_barrier(words.warp(0, 0), 0x3);
    words.observer.warp_barrier(words.warp(0, 0), ~0u);
    CHECK(contains(findings([&] {
                     words.read(0, 0, 0);
                     words.read(0, 1, 0);
                     words.write(0, 1, 0);
                   }),
                   "race: read by other threads and write by thread (1,0,0)"));
  }
}

TEST_CASE("shared memory: whole warps at once", "[race]") {
  Words words;
  const auto all = [&](uint32_t w, uint32_t pc, AccessKind kind, const Addresses& addresses, Pattern pattern,
                       uint32_t bytes) {
    Access a = an_access(Space::Shared, kind, bytes, 4);
    a.pattern = pattern;
    words.tell(words.warp(0, w), pc, a, addresses);
  };
  const uint64_t base = words.shared(0);
  SECTION("tile: stored side by side, read in every way, stored again") {
    CHECK(findings([&] {
            for (uint32_t step = 0; step < 3; ++step) {
              for (uint32_t w = 0; w < 4; ++w) {
                all(w, 1, AccessKind::Store, strided(base + 512 * w, 16), Pattern::Contiguous, 16);
              }
              words.barrier();
              for (uint32_t w = 0; w < 4; ++w) {
                for (uint32_t k = 0; k < 4; ++k) {
                  all(w, 2, AccessKind::Load, strided(base + 512 * k, 16), Pattern::Contiguous, 16);
                  all(w, 3, AccessKind::Load, strided(base + 64 * k, 0), Pattern::Uniform, 4);
                  all(w, 4, AccessKind::Load, strided(base + 4 * k, 64), Pattern::General, 4);
                }
              }
              words.barrier();
            }
          }).empty());
  }
  SECTION("the second barrier is missing") {
    CHECK(contains(findings([&] {
                     all(0, 1, AccessKind::Store, strided(base, 4), Pattern::Contiguous, 4);
                     words.barrier();
                     all(1, 2, AccessKind::Load, strided(base + 64, 0), Pattern::Uniform, 4);
                     all(0, 1, AccessKind::Store, strided(base, 4), Pattern::Contiguous, 4);
                   }),
                   "of shared offset 64; one such read was at dir/file.cu:2"));
  }
  SECTION("reduction without __syncwarp") {
    CHECK(contains(findings([&] {
                     all(0, 1, AccessKind::Store, strided(base, 4), Pattern::Contiguous, 4);
                     all(0, 2, AccessKind::Load, strided(base + 4, 4), Pattern::Contiguous, 4);
                   }),
                   "race: write by thread (1,0,0) and read by thread (0,0,0)"));
  }
  SECTION("all lanes store to one word and read it back") {
    CHECK(findings([&] {
            all(0, 1, AccessKind::Store, strided(base, 0), Pattern::Uniform, 4);
            all(0, 2, AccessKind::Load, strided(base, 0), Pattern::Uniform, 4);
          }).empty());
  }
}

TEST_CASE("shared memory: all lanes at one word", "[race]") {
  Words words;
  const auto all = [&](uint32_t pc, AccessKind kind) {
    Access a = an_access(Space::Shared, kind);
    a.pattern = Pattern::Uniform;
    words.tell(words.warp(0, 0), pc, a, strided(words.shared(0), 0));
  };
  const uint32_t lane = GENERATE(0u, 7u, 31u);
  const bool is_synced = GENERATE(false, true);
  const std::string thread = "thread (" + std::to_string(lane) + ",0,0)";
  const auto sync = [&] {
    if (is_synced) words.observer.warp_barrier(words.warp(0, 0), ~0u);
  };
  SECTION("they read what one of them has written") {
    const std::string found = findings([&] {
      words.write(0, lane, 0);
      sync();
      all(2, AccessKind::Load);
    });
    CHECK(found.empty() == is_synced);
    CHECK((is_synced || contains(found, "race: write by " + thread + " and read by ")));
  }
  SECTION("one of them writes what they have read") {
    const std::string found = findings([&] {
      all(2, AccessKind::Load);
      sync();
      words.write(0, lane, 0);
    });
    CHECK(found.empty() == is_synced);
    CHECK((is_synced || contains(found, " and write by " + thread)));
    CHECK_FALSE(contains(found, "read by " + thread));
  }
  SECTION("they write what one of them has read") {
    const std::string found = findings([&] {
      words.read(0, lane, 0);
      sync();
      all(1, AccessKind::Store);
    });
    CHECK(found.empty() == is_synced);
    CHECK((is_synced || contains(found, "race: read by " + thread + " and write by ")));
  }
}

TEST_CASE("shared memory: bytes of a word are told apart", "[race]") {
  Words words;
  SECTION("neighbours in place") {
    CHECK(findings([&] {
            for (uint32_t pass = 0; pass < 2; ++pass) {
              for (uint32_t i = 0; i < 4; ++i) words.read(0, i, 2 * i, 2);
              for (uint32_t i = 0; i < 4; ++i) words.write(0, i, 2 * i, 2);
            }
            for (uint32_t i = 0; i < 4; ++i) words.write(i % 4, i, 64 + i, 1);
          }).empty());
  }
  SECTION("of another block before") {
    CHECK(findings([&] {
            words.write(0, 0, 2, 1);
            words.observer.block_end(words.block(0));
            words.block(0).linear_index = 1;
            words.observer.block_begin(words.block(0));
            words.write(0, 0, 2, 1);
            words.read(0, 0, 2, 1);
          }).empty());
  }
  SECTION("the same byte") {
    CHECK(contains(findings([&] {
                     words.write(0, 0, 2, 2);
                     words.read(1, 1, 3, 1);
                   }),
                   "race: write"));
  }
}

TEST_CASE("shared memory: named barriers of some warps", "[race]") {
  Words words;
  SECTION("a producer arrives, a consumer waits") {
    CHECK(findings([&] {
            words.write(0, 0, 0);
            words.observer.barrier_arrive(words.warp(0, 0), 1);
            words.observer.block_barrier(words.block(0), 1, 0b0010);
            words.read(1, 0, 0);
            words.observer.barrier_arrive(words.warp(0, 1), 2);
            words.observer.block_barrier(words.block(0), 2, 0b0001);
            words.write(0, 0, 0);
          }).empty());
  }
  SECTION("written after the arrival") {
    CHECK(contains(findings([&] {
                     words.observer.barrier_arrive(words.warp(0, 0), 1);
                     words.write(0, 0, 0);
                     words.observer.block_barrier(words.block(0), 1, 0b0010);
                     words.read(1, 0, 0);
                   }),
                   "race: write"));
  }
  SECTION("a warp that was not there") {
    CHECK(contains(findings([&] {
                     words.write(0, 0, 0);
                     words.observer.block_barrier(words.block(0), 1, 0b0011);
                     words.read(1, 0, 0);
                     words.read(2, 0, 0);
                   }),
                   "read by thread (64,0,0)"));
  }
}

TEST_CASE("shared memory: cp.async", "[race][sync]") {
  Words words(1, 128, kRace | kSync);
  const auto copy = [&](uint32_t w, AccessKind kind) {
    words.access(0, w, 0, 3, kind, Space::Shared, 0, 16);
  };
  SECTION("waited for, then a barrier") {
    CHECK(findings([&] {
            copy(0, AccessKind::AsyncCopyIssue);
            copy(0, AccessKind::AsyncCopyWrite);
            words.barrier();
            words.read(1, 1, 4);
          }).empty());
  }
  SECTION("no wait") {
    CHECK(contains(findings([&] {
                     copy(0, AccessKind::AsyncCopyIssue);
                     words.barrier();
                     words.read(0, 0, 4);
                   }),
                   "shared memory read at offset 4 while a cp.async still fills it (missing cp.async.wait)"));
  }
  SECTION("no barrier after the wait") {
    CHECK(contains(findings([&] {
                     copy(0, AccessKind::AsyncCopyIssue);
                     copy(0, AccessKind::AsyncCopyWrite);
                     words.read(1, 1, 4);
                   }),
                   "race: write"));
  }
  SECTION("into what others still read") {
    CHECK(contains(findings([&] {
                     words.read(1, 1, 4);
                     copy(0, AccessKind::AsyncCopyIssue);
                   }),
                   "race: read"));
  }
}

TEST_CASE("a lock in shared memory", "[race]") {
  Words words;
  const auto atomic = [&](uint32_t w) {
    words.access(0, w, 0, 6, AccessKind::Atomic, Space::Shared, 0, 4, true);
  };
  CHECK(findings([&] {
          for (uint32_t w = 0; w < 4; ++w) {
            atomic(w);
            words.observer.fence(words.warp(0, w), false);
            words.read(w, 0, 64);
            words.write(w, 0, 64);
            words.observer.fence(words.warp(0, w), false);
            atomic(w);
          }
        }).empty());
}
