// Reports, uninitialised reads and footprints, told by hand what warps do.
#include "tests/unit/check_words.h"

using namespace vgpu;
using namespace vgpu::test;

TEST_CASE("a report is one line with kernel, place, block, thread and instruction", "[report]") {
  Words words;
  const std::string text = findings([&] {
    words.write(0, 1, 128);
    words.read(1, 1, 128);
  });
  CHECK(
      text ==
      "vgpu: error: race: write by thread (1,0,0) and read by thread (33,0,0) of shared offset 128; the "
      "write was "
      "at dir/file.cu:1 | kernel saxpy(float, float*, float*, int) | at dir/file.cu:2 | block (0,0,0) thread "
      "(33,0,0) | instruction `ld.shared.f32 %f1, [%r1];`\n");
  CHECK(had_finding());
}

TEST_CASE("a finding is told once an instruction, and lines are limited", "[report]") {
  Words words;
  const std::string text = findings([&] {
    for (uint32_t i = 0; i < 8; ++i) {
      words.write(0, i, 4 * i);
      words.read(1, i, 4 * i);
    }
  });
  CHECK(text.find('\n') == text.size() - 1);
  const std::string many = findings([] {
    for (int i = 0; i < 200; ++i) report_line("x");
  });
  CHECK(std::count(many.begin(), many.end(), '\n') == 99);
  CHECK(contains(many, "vgpu: error: further reports are left out\n"));
}

TEST_CASE("a fault prints its line and throws its code", "[report]") {
  Words words;
  const std::string text = findings([&] {
    try {
      fault(words.warp(0, 2), words.code.program.code[3], 700, 5, "bad %d", 7);
    } catch (const KernelFault& caught) {
      CHECK(caught.error == 700);
    }
  });
  CHECK(contains(text, "vgpu: error: bad 7 | kernel saxpy"));
  CHECK(contains(text, "thread (69,0,0)"));
}

TEST_CASE("uninitialised reads", "[uninit]") {
  Words words(1, 64, kUninit);
  SECTION("shared memory, by element") {
    CHECK(findings([&] {
            words.write(0, 0, 16);
            words.read(1, 0, 16);
            words.write(0, 0, 24);
            words.read(0, 0, 24, 8);  // a struct's tail padding
          }).empty());
    CHECK(contains(findings([&] { words.read(0, 5, 20); }),
                   "uninitialised read of 4 bytes of shared memory at offset 20 | kernel"));
  }
  SECTION("a vector of integers with padding") {
    words.code.set(2, "ld", {"shared", "v2", "u32"}, "ld.shared.v2.u32 {%r2, %r3}, [%r1];");
    const Access load = an_access(Space::Shared, AccessKind::Load, 8, 4, 1);
    CHECK(findings([&] {
            words.write(0, 0, 0, 1);
            words.tell(words.warp(0, 0), 2, load, strided(words.shared(0), 0));
          }).empty());
    CHECK(contains(findings([&] { words.tell(words.warp(0, 0), 2, load, strided(words.shared(0, 8), 0)); }),
                   "uninitialised read of 8 bytes"));
  }
  SECTION("a vector of bytes that is all padding") {
    words.code.set(2, "ld", {"shared", "v4", "u8"}, "ld.shared.v4.u8 {%rs1, %rs2, %rs3, %rs4}, [%r1];");
    const Access load = an_access(Space::Shared, AccessKind::Load, 4, 1, 1);
    CHECK(findings([&] {
            words.write(0, 0, 0);
            words.tell(words.warp(0, 0), 2, load, strided(words.shared(0, 4), 0));
          }).empty());
    CHECK(contains(findings([&] { words.tell(words.warp(0, 0), 2, load, strided(words.shared(0, 8), 0)); }),
                   "uninitialised read of 4 bytes"));
  }
  SECTION("one element of a vector") {
    const uint64_t base = words.shared(0);
    CHECK(contains(
        findings([&] {
          Access store = an_access(Space::Shared, AccessKind::Store);
          store.pattern = Pattern::Contiguous;
          words.tell(words.warp(0, 0), 1, store, strided(base, 4));
          Access load = an_access(Space::Shared, AccessKind::Load, 16, 4, 0x1FF);
          words.tell(words.warp(0, 0), 2, load, strided(base, 16));
        }),
        "at offset 128 | kernel saxpy(float, float*, float*, int) | at dir/file.cu:2 | block (0,0,0) "
        "thread (8,0,0)"));
  }
}

TEST_CASE("uninitialised reads of global and local memory", "[uninit]") {
  Words words(1, 64, kUninit);
  SECTION("global memory") {
    const auto access = [&](AccessKind kind, uint64_t offset) {
      words.access(0, 0, 0, 4, kind, Space::Global, offset);
    };
    CHECK(findings([&] {
            access(AccessKind::Store, 8);
            access(AccessKind::Load, 8);
          }).empty());
    CHECK(contains(findings([&] { access(AccessKind::Atomic, 12); }),
                   "uninitialised read of 4 bytes of global memory 12 bytes into the 16384-byte allocation"));
  }
  SECTION("local memory is a new one in every block") {
    const auto access = [&](AccessKind kind) {
      words.tell(words.warp(0, 0), 9, an_access(Space::Local, kind),
                 strided(reinterpret_cast<uint64_t>(words.block(0).local), 64));
    };
    CHECK(findings([&] {
            access(AccessKind::Store);
            access(AccessKind::Load);
          }).empty());
    words.end();
    words.begin();
    CHECK(contains(findings([&] { access(AccessKind::Load); }),
                   "uninitialised read of 4 bytes of local memory at offset 0"));
  }
}

TEST_CASE("a launch's footprint is exact and merged", "[footprint]") {
  Words words(1, 64, 0);
  const auto tell = [&](AccessKind kind, const Addresses& addresses, uint32_t mask) {
    words.tell(words.warp(0, 0), 1, an_access(Space::Global, kind, 4, 4, mask), addresses);
  };
  const uint64_t base = words.global;
  tell(AccessKind::Load, strided(base + 128, 4), ~0u);
  tell(AccessKind::Load, strided(base, 4), ~0u);
  tell(AccessKind::Load, strided(base + 1000, 0), ~0u);
  tell(AccessKind::Store, strided(base + 4000, 8), 3);
  tell(AccessKind::Atomic, strided(base + 4096, 4), 3);
  words.end();
  const auto is = [](const Footprint::Range& range, uint64_t begin, uint64_t end) {
    return range.begin == begin && range.end == end;
  };
  REQUIRE(words.footprint.reads.size() == 3);
  CHECK(is(words.footprint.reads[0], base, base + 256));
  CHECK(is(words.footprint.reads[1], base + 1000, base + 1004));
  CHECK(is(words.footprint.reads[2], base + 4096, base + 4104));
  REQUIRE(words.footprint.writes.size() == 3);
  CHECK(is(words.footprint.writes[0], base + 4000, base + 4004));
  CHECK(is(words.footprint.writes[1], base + 4008, base + 4012));
  CHECK(is(words.footprint.writes[2], base + 4096, base + 4104));
}
