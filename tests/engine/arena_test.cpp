// The arena: what a dry run measures is what a step takes, blocks come from the lowest place that fits, and
// guard bands see an overrun.
#include "engine/runtime/arena.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using engine::Arena;

namespace {

std::ptrdiff_t distance(const std::shared_ptr<void>& from, const std::shared_ptr<void>& to) {
  return static_cast<std::byte*>(to.get()) - static_cast<std::byte*>(from.get());
}

/// Allocates and frees in a pattern with holes; returns the blocks' places relative to the first.
std::vector<std::ptrdiff_t> pattern(Arena& arena) {
  auto a = arena.allocate(100);  // 128
  auto b = arena.allocate(640);
  auto c = arena.allocate(64);
  std::vector<std::ptrdiff_t> places = {distance(a, b), distance(a, c)};
  b.reset();
  auto d = arena.allocate(256);  // into b's hole
  auto e = arena.allocate(448);  // does not fit in the 384 left of it
  auto f = arena.allocate(384);  // fits exactly
  for (const auto& block : {d, e, f}) places.push_back(distance(a, block));
  return places;
}

}  // namespace

TEST_CASE("arena: lowest place that fits, the same in the dry run and in every step") {
  const std::vector<std::ptrdiff_t> expected = {128, 768, 128, 832, 384};
  Arena arena;
  arena.measure();
  CHECK(arena.measuring());
  CHECK(pattern(arena) == expected);
  CHECK(arena.live_blocks() == 0);
  CHECK(arena.peak_bytes() == 832 + 448);
  arena.commit();
  CHECK(!arena.measuring());
  for (int step = 0; step < 3; ++step) CHECK(pattern(arena) == expected);
  CHECK(arena.peak_bytes() == 832 + 448);
  CHECK(arena.live_blocks() == 0);
}

TEST_CASE("arena: freed neighbours become one hole again, in any order of freeing") {
  const std::vector<std::vector<size_t>> orders = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {0, 2, 1}};
  for (const auto& order : orders) {
    Arena arena;
    arena.measure();
    arena.allocate(1000);  // rounded up to 1024
    arena.commit();
    std::vector<std::shared_ptr<void>> blocks;
    for (const size_t bytes : {256, 512, 256}) blocks.push_back(arena.allocate(bytes));
    for (const size_t i : order) blocks[i].reset();
    CHECK(arena.live_blocks() == 0);
    CHECK(arena.allocate(1024) != nullptr);
  }
}

TEST_CASE("arena: a step that asks for more than the dry run is a bug that is named") {
  Arena arena;
  arena.measure();
  arena.allocate(1024);
  arena.commit();
  const auto held = arena.allocate(512);
  const auto thrown = tests::thrown_by([&] { arena.allocate(576); });
  CHECK(thrown.code == kernels::ExitCode::Internal);
  CHECK(thrown.line.find("1024 bytes was asked for 576 more") != std::string::npos);
  CHECK(arena.live_blocks() == 1);
  CHECK(arena.allocate(512) != nullptr);  // still usable
}

TEST_CASE("arena: blocks must be gone when measuring starts and ends") {
  Arena arena;
  {
    const auto held = arena.allocate(8);
    CHECK(tests::thrown_by([&] { arena.measure(); }).code == kernels::ExitCode::Internal);
  }
  arena.measure();
  const auto held = arena.allocate(8);
  CHECK(tests::thrown_by([&] { arena.commit(); }).code == kernels::ExitCode::Internal);
}

TEST_CASE("arena: committed blocks are aligned, writable and apart") {
  Arena arena;
  arena.measure();
  const std::vector<size_t> sizes = {1, 63, 64, 65, 1000};
  const auto allocate_all = [&] {
    std::vector<std::shared_ptr<void>> blocks;
    for (const size_t bytes : sizes) blocks.push_back(arena.allocate(bytes));
    return blocks;
  };
  allocate_all();
  CHECK(arena.peak_bytes() == 64 + 64 + 64 + 128 + 1024);
  arena.commit();
  const auto blocks = allocate_all();
  for (size_t i = 0; i < sizes.size(); ++i) {
    CHECK(reinterpret_cast<uintptr_t>(blocks[i].get()) % 64 == 0);
    std::memset(blocks[i].get(), static_cast<int>(i), sizes[i]);
  }
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto* bytes = static_cast<const unsigned char*>(blocks[i].get());
    for (size_t k = 0; k < sizes[i]; ++k) REQUIRE(bytes[k] == i);
  }
}

TEST_CASE("arena: separate blocks are counted at their peak") {
  Arena arena;
  const auto a = arena.allocate(64);
  {
    const auto b = arena.allocate(100);
    CHECK(arena.live_blocks() == 2);
  }
  const auto c = arena.allocate(60);
  CHECK(arena.peak_bytes() == 64 + 128);
  CHECK(arena.live_blocks() == 2);
}

TEST_CASE("arena: guarded blocks are NaN, and writing one byte outside is seen") {
  Arena arena({.guards = true});
  constexpr size_t kBytes = 100;  // not a multiple of the alignment
  const auto violations_after = [&](const auto& write) {
    const int64_t before = arena.guard_violations();
    auto block = arena.allocate(kBytes);
    write(static_cast<std::byte*>(block.get()));
    block.reset();
    return arena.guard_violations() - before;
  };
  CHECK(violations_after([](std::byte* bytes) {
          for (size_t i = 0; i < kBytes / 4; ++i) REQUIRE(std::isnan(reinterpret_cast<float*>(bytes)[i]));
          for (size_t i = 0; i < kBytes / 8; ++i) REQUIRE(std::isnan(reinterpret_cast<double*>(bytes)[i]));
        }) == 0);
  CHECK(violations_after([](std::byte* bytes) { std::memset(bytes, 0, kBytes); }) == 0);
  CHECK(violations_after([](std::byte* bytes) { bytes[kBytes] = std::byte{0}; }) == 1);
  CHECK(violations_after([](std::byte* bytes) { bytes[-1] = std::byte{0}; }) == 1);
  CHECK(violations_after([](std::byte* bytes) { bytes[kBytes + 255] = std::byte{0}; }) == 1);
  CHECK(violations_after([](std::byte* bytes) { bytes[-256] = std::byte{0}; }) == 1);
}
