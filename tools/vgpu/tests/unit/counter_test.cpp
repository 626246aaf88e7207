// Sectors, shared-memory passes and the kernel's table, against figures worked out by hand.
#include "core/device_memory.h"
#include "tests/unit/catch.h"
#include "tests/unit/check_fixture.h"

using namespace vgpu;
using namespace vgpu::test;
using check::passes_of;
using check::sectors_of;
using ptx::Space;

namespace {

struct Shape {
  Addresses addresses;
  Access access;

  Shape(uint32_t bytes, const Addresses& at, uint32_t mask = ~0u, Pattern pattern = Pattern::General)
      : addresses(at), access(an_access(Space::Shared, AccessKind::Load, bytes, 4, mask)) {
    access.address = addresses.data();
    access.pattern = pattern;
  }
};

uint32_t shape_passes(const Shape& shape) {
  return passes_of(shape.access, check::LaneRuns(shape.access));
}

uint32_t passes(uint32_t bytes, const Addresses& addresses, uint32_t mask = ~0u) {
  return shape_passes(Shape(bytes, addresses, mask));
}

uint32_t sectors(uint32_t bytes, const Addresses& addresses, uint32_t mask = ~0u) {
  return sectors_of(Shape(bytes, addresses, mask).access);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("passes of shared memory", "[count]") {
  CHECK(passes(4, strided(0, 4)) == 1);
  CHECK(passes(4, strided(0, 8)) == 2);
  CHECK(passes(4, strided(0, 4 * 17)) == 1);
  CHECK(passes(4, strided(0, 4 * 32)) == 32);
  CHECK(passes(4, strided(0, 4 * 32), 0xFF) == 8);
  CHECK(passes(4, strided(64, 0)) == 1);
  CHECK(passes(1, strided(0, 1)) == 1);
  CHECK(passes(2, strided(0, 2)) == 1);
  CHECK(passes(8, strided(0, 8)) == 2);
  CHECK(passes(8, strided(0, 16)) == 4);
  CHECK(passes(16, strided(0, 16)) == 4);
  CHECK(passes(16, strided(0, 32)) == 8);
  CHECK(passes(16, strided(0, 128)) == 32);
}

TEST_CASE("passes where lanes share addresses", "[count]") {
  CHECK(passes(8, strided(0, 0)) == 1);
  CHECK(passes(16, strided(0, 0)) == 2);
  Addresses rows{};  // two different float4 a warp, as the left operand of a register-tiled product
  for (uint32_t i = 0; i < 32; ++i) rows[i] = 256 * (i / 16);
  CHECK(passes(16, rows) == 2);
  Addresses columns{};  // 16 neighbours, twice
  for (uint32_t i = 0; i < 32; ++i) columns[i] = 16 * (i % 16);
  CHECK(passes(16, columns) == 4);
}

TEST_CASE("known patterns are counted like general ones", "[count]") {
  for (uint32_t bytes : {1u, 2u, 4u, 8u, 16u}) {
    const Addresses side_by_side = strided(4096, bytes), equal = strided(4096, 0);
    CHECK(shape_passes(Shape(bytes, side_by_side, ~0u, Pattern::Contiguous)) == passes(bytes, side_by_side));
    CHECK(sectors_of(Shape(bytes, side_by_side, ~0u, Pattern::Contiguous).access) ==
          sectors(bytes, side_by_side));
    CHECK(shape_passes(Shape(bytes, equal, ~0u, Pattern::Uniform)) == passes(bytes, equal));
    CHECK(sectors_of(Shape(bytes, equal, ~0u, Pattern::Uniform).access) == sectors(bytes, equal));
  }
}

TEST_CASE("sectors of global memory", "[count]") {
  CHECK(sectors(4, strided(0, 4)) == 4);
  CHECK(sectors(4, strided(4, 4)) == 5);
  CHECK(sectors(4, strided(0, 8)) == 8);
  CHECK(sectors(4, strided(0, 32)) == 32);
  CHECK(sectors(4, strided(0, 4096)) == 32);
  CHECK(sectors(8, strided(0, 8)) == 8);
  CHECK(sectors(16, strided(0, 16)) == 16);
  CHECK(sectors(4, strided(0, 0)) == 1);
  CHECK(sectors(4, strided(0, 32), 0x10001) == 2);
  Addresses back{};
  for (uint32_t i = 0; i < 32; ++i) back[i] = 4 * (31 - i);
  CHECK(sectors(4, back) == 4);
}

TEST_CASE("runs of lanes", "[count]") {
  check::Run runs[32];
  Addresses addresses = strided(256, 4);
  CHECK(check::kernels().find_runs(addresses.data(), ~0u, 4, runs) == 1);
  CHECK(runs[0].lanes == 32);
  CHECK_FALSE(runs[0].same);
  CHECK(check::kernels().find_runs(addresses.data(), 0xFFFF7FF0, 4, runs) == 2);
  CHECK((runs[0].lane == 4 && runs[0].lanes == 11 && runs[1].lane == 16 && runs[1].lanes == 16));
  for (uint32_t i = 16; i < 32; ++i) addresses[i] = 512;
  CHECK(check::kernels().find_runs(addresses.data(), ~0u, 4, runs) == 2);
  CHECK((runs[1].lane == 16 && runs[1].lanes == 16 && runs[1].same));
  CHECK(check::kernels().find_runs(strided(0, 12).data(), ~0u, 4, runs) == 32);
}

TEST_CASE("a kernel's totals", "[count]") {
  FakeLaunch fake(0, true, 2, 64);
  fake.code.set(0, "ld", {"global", "f32"}, "ld.global.f32 %f1, [%rd1];");
  fake.code.set(1, "fma", {"rn", "f32"}, "fma.rn.f32 %f2, %f1, %f1, %f2;");
  fake.code.set(2, "add", {"s32"}, "add.s32 %r1, %r1, 1;");
  fake.code.set(3, "mma", {"sync", "aligned", "m16n8k8", "row", "col", "f32", "tf32", "tf32", "f32"},
                "mma.sync ...;");
  fake.code.set(4, "st", {"shared", "f32"}, "st.shared.f32 [%r1], %f2;");
  const auto run = [&](uint32_t pc, uint32_t lanes) {
    ++fake.launch.counters->executed[pc];
    fake.launch.counters->lanes[pc] += lanes;
  };
  alignas(256) static uint8_t memory[4096];
  const uint64_t base = reinterpret_cast<uint64_t>(memory);
  for (uint32_t w = 0; w < 2; ++w) {
    Warp& warp = fake.warp(0, w);
    for (uint32_t pc = 0; pc < 5; ++pc) run(pc, pc == 2 ? 16 : 32);
    fake.tell(warp, 0, an_access(Space::Global, AccessKind::Load), strided(base, 8));
    fake.tell(warp, 4, an_access(Space::Shared, AccessKind::Store), strided(fake.shared(0), 128));
    fake.observer.mma(warp, fake.code.program.code[3], 2 * 16 * 8 * 8);
    fake.observer.branch(warp, fake.code.program.code[5], w == 0);
  }
  fake.end();
  const check::KernelTotals& kernel = *fake.observer.counters()->in_order().at(0);
  CHECK(kernel.launches == 1);
  CHECK(kernel.blocks == 2);
  CHECK(kernel.threads == 128);
  CHECK(kernel.global_read == 128);
  CHECK(kernel.shared == 128);
  CHECK(kernel.mma_flops == 4096);
  CHECK(kernel.divergent_branches == 1);
  CHECK(kernel.instructions.at(0).sectors == 16);
  CHECK(kernel.instructions.at(4).passes == 64);
  const std::string json = counters_as_json(*fake.observer.counters());
  for (const char* part :
       {"\"name\":\"saxpy(float, float*, float*, int)\"", "\"warp_instructions\":10",
        "\"lane_instructions\":288",
        "\"mix\":{\"fp32_fma\":2,\"integer\":2,\"load_global\":2,\"store_shared\":2,\"matrix\":2}",
        "\"fp32\":128,\"fp64\":0,\"matrix\":4096,\"total\":4224", "\"sectors_per_load\":8,",
        "\"passes_per_store\":32",
        "\"text\":\"ld.global.f32 %f1, [%rd1];\",\"file\":\"/somewhere/dir/file.cu\",\"line\":0"}) {
    INFO(part);
    CHECK(contains(json, part));
  }
  CHECK(contains(counters_as_table(*fake.observer.counters()), "vgpu: count: saxpy("));
}
