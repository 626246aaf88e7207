// Loads and stores at the level of handlers: every shape, space, pattern and mask against a lane-by-lane
// reference, and every fault with its code and its words.
#include <random>

#include "tests/unit/catch.h"
#include "tests/unit/memory_bench.h"

using namespace vgpu;
using namespace vgpu::test;
using ptx::Space;

namespace {

constexpr uint32_t kBytes = 4096;  // of the memory under test

struct Shape {
  const char* kind;  // "u" or "s"; stores have no sign
  uint32_t memory, bytes, width;
};

std::vector<Shape> shapes(bool stores) {
  std::vector<Shape> list;
  for (uint32_t memory : {1u, 2u, 4u, 8u})
    for (uint32_t bytes = memory; bytes <= 8; bytes *= 2)
      for (uint32_t width : {1u, 2u, 4u}) {
        list.push_back({"u", memory, bytes, width});
        if (!stores && bytes > memory) list.push_back({"s", memory, bytes, width});
      }
  list.push_back({"u", 4, 4, 8});
  list.push_back({"u", 16, 16, 1});
  return list;
}

std::string name_of(const Shape& shape, bool store) {
  return std::string(store ? "st." : "ld.") + (store ? "" : shape.kind) + std::to_string(shape.memory) + "." +
         std::to_string(shape.bytes) + ".v" + std::to_string(shape.width);
}

const char* const kPatterns[] = {"uniform",   "row",           "nearly a row", "half warps",
                                 "half rows", "row and value", "strided",      "random"};

std::vector<uint64_t> offsets(const std::string& pattern, uint32_t bytes, uint32_t limit,
                              std::mt19937& random) {
  std::vector<uint64_t> list(kLanes);
  for (uint32_t i = 0; i < kLanes; ++i) {
    uint64_t unit = 3;
    if (pattern == "row") unit = i;
    if (pattern == "nearly a row") unit = i == 31 ? 0 : i;
    if (pattern == "half warps") unit = i / 16;
    if (pattern == "half rows") unit = i % 16 + i / 16 * 40;
    if (pattern == "row and value") unit = i < 16 ? i : 5;
    if (pattern == "strided") unit = 3 * i;
    if (pattern == "random") unit = random();
    list[i] = unit * bytes % (limit / bytes * bytes);
  }
  return list;
}

// One space with kBytes (local: kLocal a lane) of memory filled with noise.
class Arena {
 public:
  Arena(MemoryBench& bench, Space space, std::mt19937& random) : bench_(bench), space_(space) {
    if (space == Space::Global || space == Space::Const)
      address_ = DeviceMemory::instance().allocate(kBytes, 256, MemoryKind::Device, "test");
    for (uint32_t i = 0; i < kLanes; ++i)
      for (uint32_t k = 0; k < limit(); ++k) *at(i, k) = static_cast<uint8_t>(random());
  }
  ~Arena() {
    if (address_ != 0) DeviceMemory::instance().release(address_);
  }
  uint32_t limit() const { return space_ == Space::Local ? MemoryBench::kLocal : kBytes; }
  uint8_t* at(uint32_t lane, uint64_t offset) {
    if (space_ == Space::Shared) return bench_.block().shared + offset;
    if (space_ == Space::Local) return bench_.local(lane) + offset;
    return reinterpret_cast<uint8_t*>(address_) + offset;
  }
  uint64_t base(bool generic) const {
    if (space_ == Space::Shared) return generic ? kSharedWindow : 0;
    if (space_ == Space::Local) return generic ? kLocalWindow : 0;
    return address_;
  }

 private:
  MemoryBench& bench_;
  Space space_;
  uint64_t address_ = 0;
};

// The bytes a register holds after a load of `memory` bytes.
std::vector<uint8_t> widened(const uint8_t* from, const Shape& shape) {
  const bool negative = shape.kind[0] == 's' && (from[shape.memory - 1] & 0x80) != 0;
  std::vector<uint8_t> value(shape.bytes, negative ? 0xFF : 0);
  std::memcpy(value.data(), from, shape.memory);
  return value;
}

struct Case {
  Space space;
  bool generic;
  std::string pattern;
  uint32_t exec;
};

std::vector<Case> cases() {
  std::vector<Case> list;
  for (Space space : {Space::Global, Space::Shared, Space::Local, Space::Const})
    for (bool generic : {false, true})
      for (const char* pattern : kPatterns)
        for (uint32_t exec : {~0u, 0x0000FFFFu, 0x80000000u, 0xA5A55A5Au, 1u, 0u})
          if (!(generic && space == Space::Const)) list.push_back({space, generic, pattern, exec});
  return list;
}

// Sets the address register for the case; part of the address goes into the instruction's offset.
std::vector<uint64_t> prepare(MemoryBench& bench, Arena& arena, const Case& c, const Shape& shape, bool store,
                              std::mt19937& random) {
  const uint32_t bytes = shape.memory * shape.width;
  const auto places = offsets(c.pattern, bytes, arena.limit(), random);
  const Space space = c.generic ? Space::Generic : c.space;
  bench.instruction(name_of(shape, store), space, shape.width).imm = 4 * static_cast<int64_t>(bytes) - 7;
  std::vector<uint64_t> address;
  for (uint64_t place : places) address.push_back(arena.base(c.generic) + place - bench.inst().imm);
  for (uint32_t i = 0; i < kLanes; ++i)
    if ((c.exec >> i & 1) == 0) address[i] = random();  // garbage in lanes that do not run must not matter
  bench.set_addresses(space, address);
  bench.warp().exec = c.exec;
  return places;
}

bool load_is_right(MemoryBench& bench, const Case& c, const Shape& shape, std::mt19937& random) {
  Arena arena(bench, c.space, random);
  const auto places = prepare(bench, arena, c, shape, false, random);
  for (uint32_t e = 0; e < shape.width; ++e)
    std::memset(bench.slot<uint8_t>(1 + e), 0x77, MemoryBench::kSlot);
  bench.run();
  for (uint32_t e = 0; e < shape.width; ++e)
    for (uint32_t i = 0; i < kLanes; ++i) {
      std::vector<uint8_t> expected(shape.bytes, 0x77);
      if (c.exec >> i & 1) expected = widened(arena.at(i, places[i]) + e * shape.memory, shape);
      if (std::memcmp(bench.slot<uint8_t>(1 + e) + i * shape.bytes, expected.data(), shape.bytes) != 0)
        return false;
    }
  return true;
}

bool store_is_right(MemoryBench& bench, const Case& c, const Shape& shape, std::mt19937& random) {
  Arena arena(bench, c.space, random);
  std::vector<std::vector<uint8_t>> expected(kLanes);
  for (uint32_t i = 0; i < kLanes; ++i) expected[i].assign(arena.at(i, 0), arena.at(i, 0) + arena.limit());
  const auto places = prepare(bench, arena, c, shape, true, random);
  for (uint32_t e = 0; e < shape.width; ++e)
    for (uint32_t k = 0; k < MemoryBench::kSlot; ++k)
      bench.slot<uint8_t>(1 + e)[k] = static_cast<uint8_t>(random());
  for (uint32_t i = 0; i < kLanes; ++i) {
    if ((c.exec >> i & 1) == 0) continue;
    for (uint32_t owner = 0; owner < kLanes; ++owner)
      for (uint32_t e = 0; e < shape.width && (owner == i || c.space != Space::Local); ++e)
        std::memcpy(&expected[owner][places[i] + e * shape.memory],
                    bench.slot<uint8_t>(1 + e) + i * shape.bytes, shape.memory);
  }
  bench.run();
  for (uint32_t i = 0; i < kLanes; ++i)
    if (std::memcmp(arena.at(i, 0), expected[i].data(), arena.limit()) != 0) return false;
  return true;
}

uint64_t allocate(uint64_t bytes, const char* name = "cudaMalloc") {
  return DeviceMemory::instance().allocate(bytes, 256, MemoryKind::Device, name);
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("loads of every shape, space, pattern and mask") {
  auto bench = std::make_unique<MemoryBench>();
  std::mt19937 random(1);
  for (const Shape& shape : shapes(false))
    for (const Case& c : cases()) {
      INFO(name_of(shape, false) << " space " << static_cast<int>(c.space) << " generic " << c.generic << " "
                                 << c.pattern << " exec " << c.exec);
      REQUIRE(load_is_right(*bench, c, shape, random));
    }
}

TEST_CASE("stores of every shape, space, pattern and mask") {
  auto bench = std::make_unique<MemoryBench>();
  std::mt19937 random(2);
  for (const Shape& shape : shapes(true))
    for (const Case& c : cases()) {
      if (c.space == Space::Const) continue;
      INFO(name_of(shape, true) << " space " << static_cast<int>(c.space) << " generic " << c.generic << " "
                                << c.pattern << " exec " << c.exec);
      REQUIRE(store_is_right(*bench, c, shape, random));
    }
}

TEST_CASE("a destination may take the place of the address register") {
  MemoryBench bench;
  const uint64_t data = allocate(4096);
  for (uint32_t i = 0; i < 1024; ++i) reinterpret_cast<uint32_t*>(data)[i] = i;
  Inst& inst = bench.instruction("ld.u4.4.v2", Space::Global, 2);
  bench.refs()[0] = 0;
  bench.refs()[1] = 128;
  std::vector<uint64_t> address;
  for (uint32_t i = 0; i < kLanes; ++i) address.push_back(data + (i * 5 % 32) * 8);
  bench.set_addresses(Space::Global, address);
  inst.imm = 8;
  bench.run();
  for (uint32_t i = 0; i < kLanes; ++i) {
    CHECK(bench.slot<uint32_t>(0)[i] == (i * 5 % 32) * 2 + 2);
    CHECK(bench.slot<uint32_t>(0)[32 + i] == (i * 5 % 32) * 2 + 3);
  }
}

TEST_CASE("generic addresses of one warp may lie in several spaces and allocations") {
  auto bench = std::make_unique<MemoryBench>();
  RecordingObserver observer;
  bench->launch().observer = &observer;
  const uint64_t one = allocate(128), two = allocate(128);
  std::vector<uint64_t> address;
  for (uint32_t i = 0; i < kLanes; ++i) {
    const uint64_t bases[] = {one, two, kSharedWindow, kLocalWindow};
    address.push_back(bases[i % 4] + i * 4);
  }
  bench->set_addresses(Space::Generic, address);
  for (uint32_t i = 0; i < kLanes; ++i) bench->slot<uint32_t>(1)[i] = 1000 + i;
  bench->instruction("st.4.4.v1", Space::Generic, 1);
  bench->run();
  uint32_t value;
  std::memcpy(&value, reinterpret_cast<void*>(two + 20), 4);
  CHECK(value == 1005);
  std::memcpy(&value, bench->block().shared + 24, 4);
  CHECK(value == 1006);
  std::memcpy(&value, bench->local(7) + 28, 4);
  CHECK(value == 1007);
  REQUIRE(observer.seen.size() == 3);
  CHECK(observer.seen[0].access.space == Space::Global);
  CHECK(observer.seen[0].access.mask == 0x33333333u);
  CHECK(observer.seen[1].access.space == Space::Shared);
  CHECK(observer.seen[1].access.mask == 0x44444444u);
  CHECK(observer.seen[2].access.space == Space::Local);
  CHECK(observer.seen[2].address[7] == reinterpret_cast<uint64_t>(bench->local(7) + 28));
  CHECK(observer.seen[2].access.kind == AccessKind::Store);
}

TEST_CASE("the observer sees patterns, sizes and strength") {
  auto bench = std::make_unique<MemoryBench>();
  RecordingObserver observer;
  bench->launch().observer = &observer;
  const uint64_t data = allocate(4096);
  std::vector<uint64_t> row;
  for (uint32_t i = 0; i < kLanes; ++i) row.push_back(data + 16 * i);
  bench->set_addresses(Space::Global, row);
  bench->instruction("ld.u4.4.v4", Space::Global, 4).flags |= memory_flag::kStrong;
  bench->run();
  bench->set_addresses(Space::Global, std::vector<uint64_t>(kLanes, data));
  bench->instruction("ld.u2.4.v1", Space::Global, 1);
  bench->run();
  REQUIRE(observer.seen.size() == 2);
  CHECK(observer.seen[0].access.pattern == Pattern::Contiguous);
  CHECK(observer.seen[0].access.bytes == 16);
  CHECK(observer.seen[0].access.element == 4);
  CHECK(observer.seen[0].access.strong);
  CHECK(observer.seen[0].address[31] == data + 496);
  CHECK(observer.seen[1].access.pattern == Pattern::Uniform);
  CHECK(observer.seen[1].access.bytes == 2);
  CHECK_FALSE(observer.seen[1].access.strong);
  CHECK(observer.seen[1].access.mask == ~0u);
}

TEST_CASE("kernel parameters: constant and computed offsets") {
  MemoryBench bench;
  Inst& inst = bench.instruction("ld.u4.4.v1", Space::Param, 1);
  inst.a = kNoRef;
  inst.imm = 8;
  bench.run();
  CHECK(bench.slot<uint32_t>(1)[31] == 0x0C0B0A09u);
  inst.flags |= memory_flag::kChecked;
  inst.imm = 4;
  bench.run();
  CHECK(bench.slot<uint32_t>(1)[0] == 0x08070605u);
  Inst& computed = bench.instruction("ld.s1.4.v1", Space::Param, 1);
  for (uint32_t i = 0; i < kLanes; ++i) bench.slot<uint64_t>(0)[i] = i;
  computed.imm = 1;
  bench.run();
  CHECK(bench.slot<int32_t>(1)[20] == 22);
  std::string text;
  computed.imm = 60;
  CHECK(bench.run_faulting(text) == 700);
  contains(
      text,
      "out-of-bounds parameter read of 1 bytes at 0x40: 0 bytes past the end of the 64 bytes of parameters");
}

TEST_CASE("parameters of device functions are lane-major areas") {
  MemoryBench bench;
  Inst& store = bench.instruction("starea.4.4.v2", Space::Param, 2);
  store.a = 8 * MemoryBench::kSlot;
  store.b = 32;
  store.imm = 8;
  for (uint32_t i = 0; i < kLanes; ++i) {
    bench.slot<uint32_t>(1)[i] = i;
    bench.slot<uint32_t>(2)[i] = 100 + i;
  }
  bench.run();
  Inst& load = bench.instruction("ldarea.u4.8.v2", Space::Param, 2);
  load.a = 8 * MemoryBench::kSlot;
  load.b = 32;
  load.imm = 8;
  bench.warp().exec = 0x7FFFFFFFu;
  bench.slot<uint64_t>(2)[31] = 5;
  bench.run();
  CHECK(bench.slot<uint64_t>(1)[30] == 30);
  CHECK(bench.slot<uint64_t>(2)[30] == 130);
  CHECK(bench.slot<uint64_t>(2)[31] == 5);
}

TEST_CASE("local variables are found within the running function's frame") {
  MemoryBench bench;
  Inst& inst = bench.instruction("st.4.4.v1", Space::Local, 1);
  inst.a = kNoRef;
  inst.imm = 12;
  inst.flags |= memory_flag::kFrame;
  bench.warp().local_base = 64;
  for (uint32_t i = 0; i < kLanes; ++i) bench.slot<uint32_t>(1)[i] = 7 * i;
  bench.run();
  for (uint32_t i = 0; i < kLanes; ++i) {
    uint32_t value;
    std::memcpy(&value, bench.local(i) + 76, 4);
    CHECK(value == 7 * i);
  }
}

TEST_CASE("faults: out of bounds, use after free, null") {
  auto bench = std::make_unique<MemoryBench>();
  std::string text;
  const uint64_t data = allocate(4000);
  const std::string number = std::to_string(DeviceMemory::instance().find(data)->number);
  std::vector<uint64_t> row;
  for (uint32_t i = 0; i < kLanes; ++i) row.push_back(data + 4 * i);
  bench->set_addresses(Space::Global, row);

  SECTION("past the end, in lane 24") {
    bench->instruction("st.4.4.v1", Space::Global, 1).imm = 3904;
    CHECK(bench->run_faulting(text) == 700);
    contains(text, "out-of-bounds global write of 4 bytes at 0x");
    contains(text, ": 0 bytes past the end of the 4000-byte allocation #" + number + " (cudaMalloc)");
    contains(text, "thread (24,0,0)");
  }
  SECTION("before the start") {
    bench->instruction("ld.u4.4.v1", Space::Global, 1).imm = -8;
    CHECK(bench->run_faulting(text) == 700);
    contains(text, "out-of-bounds global read");
    contains(text, "8 bytes before the start of the 4000-byte allocation #" + number);
  }
  SECTION("crossing the end") {
    const uint64_t odd = allocate(10);
    bench->set_addresses(Space::Global, std::vector<uint64_t>(kLanes, odd));
    bench->instruction("ld.u4.4.v1", Space::Global, 1).imm = 8;
    CHECK(bench->run_faulting(text) == 700);
    contains(text, "out-of-bounds global read of 4 bytes");
    contains(text, "8 bytes into the 10-byte allocation");
  }
  SECTION("inactive lanes may point anywhere") {
    bench->instruction("st.4.4.v1", Space::Global, 1).imm = 3904;
    bench->warp().exec = 0x00FFFFFF;
    CHECK(bench->run_faulting(text) == 0);
    bench->warp().exec = 0x01FFFFFF;
    CHECK(bench->run_faulting(text) == 700);
  }
  SECTION("use after free, though the range was cached") {
    bench->instruction("ld.u4.4.v1", Space::Global, 1);
    bench->run();
    CHECK(DeviceMemory::instance().release(data));
    CHECK(bench->run_faulting(text) == 700);
    contains(text, "use after free: global read of 4 bytes");
    contains(text, "0 bytes into the freed 4000-byte allocation #" + number);
  }
  SECTION("null") {
    bench->set_addresses(Space::Global, std::vector<uint64_t>(kLanes, 0));
    bench->instruction("ld.u8.8.v1", Space::Global, 1).imm = 16;
    CHECK(bench->run_faulting(text) == 700);
    contains(text, "null pointer: global read of 8 bytes at 0x10");
  }
}

TEST_CASE("faults: misaligned and read-only") {
  auto bench = std::make_unique<MemoryBench>();
  std::string text;
  const uint64_t data = allocate(4000);
  bench->set_addresses(Space::Global, std::vector<uint64_t>(kLanes, data));
  SECTION("misaligned") {
    bench->instruction("ld.u4.4.v4", Space::Global, 4);
    bench->inst().imm = 4;
    CHECK(bench->run_faulting(text) == 716);
    contains(text, "misaligned global read of 16 bytes at 0x");
    bench->set_addresses(Space::Shared, std::vector<uint64_t>(kLanes, 2));
    bench->instruction("st.4.4.v1", Space::Shared, 1);
    CHECK(bench->run_faulting(text) == 716);
    contains(text, "misaligned shared write of 4 bytes at 0x2");
    bench->set_addresses(Space::Local, std::vector<uint64_t>(kLanes, 12));
    bench->instruction("ld.u8.8.v1", Space::Local, 1);
    CHECK(bench->run_faulting(text) == 716);
    contains(text, "misaligned local read of 8 bytes at 0xc");
  }
  SECTION("read-only") {
    const uint64_t table = DeviceMemory::instance().allocate(64, 256, MemoryKind::Symbol, "table");
    DeviceMemory::instance().set_read_only(table);
    bench->set_addresses(Space::Global, std::vector<uint64_t>(kLanes, table));
    bench->instruction("ld.u4.4.v1", Space::Const, 1);
    CHECK(bench->run_faulting(text) == 0);
    bench->instruction("st.4.4.v1", Space::Global, 1);
    CHECK(bench->run_faulting(text) == 700);
    contains(text, "read-only memory: global write of 4 bytes");
    contains(text, "(table)");
  }
}

TEST_CASE("a half warp beyond the end faults, the other does not hide it") {
  auto bench = std::make_unique<MemoryBench>();
  std::string text;
  const uint64_t data = allocate(128);
  for (uint32_t bad : {0u, 1u})
    for (Space space : {Space::Global, Space::Shared}) {
      const uint64_t base = space == Space::Global ? data : 0;
      const uint64_t end = space == Space::Global ? 128 : MemoryBench::kShared;
      std::vector<uint64_t> address;
      for (uint32_t i = 0; i < kLanes; ++i)
        address.push_back(base + (i / 16 == bad ? end - 60 : 0) + 4 * (i % 16));
      bench->set_addresses(space, address);
      bench->instruction("ld.u4.4.v1", space, 1);
      CHECK(bench->run_faulting(text) == 700);
      contains(text, "thread (" + std::to_string(16 * bad + 15) + ",0,0)");
      for (uint64_t& a : address) a -= a >= base + 64 ? 4 : 0;
      bench->set_addresses(space, address);
      CHECK(bench->run_faulting(text) == 0);
    }
}

TEST_CASE("faults in shared and local memory") {
  auto bench = std::make_unique<MemoryBench>();
  std::string text;
  bench->set_addresses(Space::Shared, std::vector<uint64_t>(kLanes, MemoryBench::kShared));
  bench->instruction("st.4.4.v1", Space::Shared, 1);
  CHECK(bench->run_faulting(text) == 700);
  contains(
      text,
      "out-of-bounds shared write of 4 bytes at 0x2000: 0 bytes past the end of the 8192 bytes of shared");
  bench->inst().imm = -4;
  CHECK(bench->run_faulting(text) == 0);
  std::vector<uint64_t> row;
  for (uint32_t i = 0; i < kLanes; ++i) row.push_back(MemoryBench::kShared - 124 + 4 * i);
  bench->set_addresses(Space::Shared, row);
  bench->instruction("ld.u4.4.v1", Space::Shared, 1);
  CHECK(bench->run_faulting(text) == 700);
  contains(text, "thread (31,0,0)");
  bench->set_addresses(Space::Shared, std::vector<uint64_t>(kLanes, 0));
  bench->inst().imm = -4;
  CHECK(bench->run_faulting(text) == 700);
  contains(text, "out-of-bounds shared read of 4 bytes at 0xfffffffc");
  bench->set_addresses(Space::Local, std::vector<uint64_t>(kLanes, MemoryBench::kLocal));
  bench->instruction("ld.u4.4.v1", Space::Local, 1);
  CHECK(bench->run_faulting(text) == 700);
  contains(text,
           "out-of-bounds local read of 4 bytes at 0x100: 0 bytes past the end of the 256 bytes of local");
  bench->set_addresses(Space::Generic,
                       std::vector<uint64_t>(kLanes, kSharedWindow + MemoryBench::kShared + 12));
  bench->instruction("ld.u4.4.v1", Space::Generic, 1);
  CHECK(bench->run_faulting(text) == 700);
  contains(text, "12 bytes past the end of the 8192 bytes of shared memory of the block");
  bench->launch().shared_bytes = 0;
  bench->set_addresses(Space::Shared, std::vector<uint64_t>(kLanes, 0));
  bench->instruction("ld.u4.4.v1", Space::Shared, 1);
  CHECK(bench->run_faulting(text) == 700);
}
