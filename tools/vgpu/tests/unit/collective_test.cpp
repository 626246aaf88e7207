// shfl, vote, match, redux, activemask, elect and bar.warp.sync against loops over the lanes, with partial
// masks, with several groups in one instruction, and with lanes that come late.
#include <cmath>
#include <functional>
#include <random>

#include "tests/unit/catch.h"
#include "tests/unit/lane_kernel.h"

namespace vgpu::test {
namespace {

constexpr uint32_t kAll = 0xFFFFFFFFu;
constexpr uint32_t kUntouched = 0xAAAAAAAAu;

std::mt19937 random_bits(3);

Lanes random_lanes(uint32_t limit = 0) {
  Lanes lanes(32);
  for (uint32_t& x : lanes) x = limit == 0 ? static_cast<uint32_t>(random_bits()) : random_bits() % limit;
  return lanes;
}

// Member masks that divide the lanes into `groups` sets, one mask a lane.
Lanes partition(uint32_t groups) {
  std::vector<uint32_t> mask(groups);
  Lanes owner = random_lanes(groups), lanes(32);
  for (uint32_t i = 0; i < 32; ++i) mask[owner[i]] |= 1u << i;
  for (uint32_t i = 0; i < 32; ++i) lanes[i] = mask[owner[i]];
  return lanes;
}

float as_float(uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}
uint32_t as_bits(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  return bits;
}

// The pseudo-code of PTX's shfl.sync. Returns the source lane and whether it was in range.
std::pair<int, bool> shfl_source(const std::string& mode, int lane, uint32_t b, uint32_t c) {
  const int bval = static_cast<int>(b & 0x1F), cval = static_cast<int>(c & 0x1F);
  const int mask = static_cast<int>(c >> 8 & 0x1F);
  const int max_lane = (lane & mask) | (cval & ~mask), min_lane = lane & mask;
  int j = 0;
  bool p = false;
  if (mode == "up") {
    j = lane - bval;
    p = j >= max_lane;
  } else if (mode == "down") {
    j = lane + bval;
    p = j <= max_lane;
  } else if (mode == "bfly") {
    j = lane ^ bval;
    p = j <= max_lane;
  } else {
    j = min_lane | (bval & ~mask);
    p = j <= max_lane;
  }
  return {p ? j : lane, p};
}

LaneKernel kernel(const std::string& body, size_t inputs, size_t outputs) {
  LaneKernel k;
  k.body = body;
  k.inputs = inputs;
  k.outputs = outputs;
  return k;
}

}  // namespace

TEST_CASE("shfl.sync") {
  for (const std::string mode : {"up", "down", "bfly", "idx"}) {
    LaneKernel k =
        kernel("shfl.sync." + mode + ".b32 %d0|%p0, %a0, %a1, %a2, %a3;\nselp.u32 %d1, 1, 0, %p0;", 4, 2);
    LaneKernel plain =
        kernel("shfl.sync." + mode + ".b32 %a0, %a0, %a1, %a2, 0xffffffff;\nmov.b32 %d0, %a0;", 4, 1);
    for (int round = 0; round < 40; ++round) {
      const Lanes value = random_lanes();
      const uint32_t width = 1u << random_bits() % 6, segment = (32 - width) << 8;
      const uint32_t clamp = mode == "up" ? 0 : 31;
      const Lanes c(32, segment | clamp);
      const Lanes b = round % 2 == 0 ? Lanes(32, random_bits() % 32) : random_lanes(64);
      const std::vector<Lanes> out = k.run({value, b, c, Lanes(32, kAll)});
      const std::vector<Lanes> again = plain.run({value, b, c, Lanes(32, kAll)});
      REQUIRE(k.error == 0);
      for (int i = 0; i < 32; ++i) {
        const auto [source, inside] = shfl_source(mode, i, b[i], c[i]);
        CHECK(out[0][i] == value[source]);
        CHECK(out[1][i] == (inside ? 1u : 0u));
        CHECK(again[0][i] == value[source]);
      }
    }
  }
}

TEST_CASE("shfl.sync among some lanes, in groups, and with lanes that come late") {
  LaneKernel some =
      kernel("setp.ne.u32 %p1, %a1, 0;\n@%p1 shfl.sync.idx.b32 %d0, %a0, %a2, 0x1f, %a3;", 4, 1);
  LaneKernel late = kernel(
      "setp.ne.u32 %p1, %a1, 0;\n@%p1 bra AFTER;\nadd.u32 %a0, %a0, 5;\nAFTER:\n"
      "shfl.sync.idx.b32 %d0, %a0, %a2, 0x1f, %a3;",
      4, 1);
  for (uint32_t groups : {1u, 2u, 3u, 7u}) {
    const Lanes members = partition(groups), value = random_lanes();
    Lanes source(32), chosen(32), coming = random_lanes(2);
    for (uint32_t i = 0; i < 32; ++i) {
      source[i] = i;
      while (random_bits() % 4 != 0 || (members[i] >> source[i] & 1) == 0) source[i] = random_bits() % 32;
      chosen[i] = members[i] == members[5] ? 1 : 0;
    }
    const Lanes partly = some.run({value, chosen, source, members})[0];
    const Lanes all = late.run({value, coming, source, members})[0];
    REQUIRE(some.error == 0);
    REQUIRE(late.error == 0);
    for (uint32_t i = 0; i < 32; ++i) {
      CHECK(partly[i] == (chosen[i] != 0 ? value[source[i]] : kUntouched));
      CHECK(all[i] == value[source[i]] + (coming[source[i]] != 0 ? 0 : 5));
    }
  }
}

TEST_CASE("shfl.sync from a lane that takes no part gives the reader's own value") {
  LaneKernel k = kernel("shfl.sync.down.b32 %d0, %a0, 16, 0x1f, 0xffffffff;", 1, 1);
  k.threads = 24;
  const Lanes value = random_lanes();
  const Lanes out = k.run({value})[0];
  for (uint32_t i = 0; i < 24; ++i) CHECK(out[i] == value[i + 16 < 24 ? i + 16 : i]);
  CHECK(out[24] == kUntouched);
}

TEST_CASE("vote.sync") {
  const std::string body =
      "setp.ne.u32 %p0, %a0, 0;\n"
      "vote.sync.all.pred %p1, %p0, %a1;\nselp.u32 %d0, 1, 0, %p1;\n"
      "vote.sync.any.pred %p2, !%p0, %a1;\nselp.u32 %d1, 1, 0, %p2;\n"
      "vote.sync.uni.pred %p3, %p0, %a1;\nselp.u32 %d2, 1, 0, %p3;\n"
      "vote.sync.ballot.b32 %d3, %p0, %a1;\nvote.sync.ballot.b32 %d4, !%p0, %a1;\n";
  LaneKernel k = kernel(body, 2, 5);
  for (int round = 0; round < 40; ++round) {
    const Lanes members = partition(1 + round % 5);
    Lanes yes = random_lanes(2);
    if (round % 3 == 0) yes = Lanes(32, 1);
    if (round % 7 == 1) yes = Lanes(32, 0);
    const std::vector<Lanes> out = k.run({yes, members});
    REQUIRE(k.error == 0);
    uint32_t ballot = 0;
    for (uint32_t i = 0; i < 32; ++i) ballot |= yes[i] << i;
    for (uint32_t i = 0; i < 32; ++i) {
      const uint32_t mine = ballot & members[i];
      CHECK(out[0][i] == (mine == members[i] ? 1u : 0u));
      CHECK(out[1][i] == (mine != members[i] ? 1u : 0u));
      CHECK(out[2][i] == (mine == members[i] || mine == 0 ? 1u : 0u));
      CHECK(out[3][i] == mine);
      CHECK(out[4][i] == (members[i] & ~ballot));
    }
  }
}

TEST_CASE("match.sync") {
  const std::string body =
      "match.any.sync.b32 %d0, %a0, %a2;\nmatch.all.sync.b32 %d1|%p0, %a0, %a2;\nselp.u32 %d2, 1, 0, %p0;\n"
      "mov.b64 %q0, {%a0, %a1};\nmatch.any.sync.b64 %d3, %q0, %a2;\n"
      "match.all.sync.b64 %d4|%p1, %q0, %a2;\nselp.u32 %d5, 1, 0, %p1;\n";
  LaneKernel k = kernel(body, 3, 6);
  for (int round = 0; round < 40; ++round) {
    const Lanes members = partition(1 + round % 4);
    const Lanes low = random_lanes(1 + round % 3), high = random_lanes(1 + round % 2);
    const std::vector<Lanes> out = k.run({low, high, members});
    REQUIRE(k.error == 0);
    for (uint32_t i = 0; i < 32; ++i) {
      uint32_t same32 = 0, same64 = 0;
      for (uint32_t j = 0; j < 32; ++j) {
        if ((members[i] >> j & 1) == 0) continue;
        same32 |= static_cast<uint32_t>(low[i] == low[j]) << j;
        same64 |= static_cast<uint32_t>(low[i] == low[j] && high[i] == high[j]) << j;
      }
      CHECK(out[0][i] == same32);
      CHECK(out[1][i] == (same32 == members[i] ? members[i] : 0));
      CHECK(out[2][i] == (same32 == members[i] ? 1u : 0u));
      CHECK(out[3][i] == same64);
      CHECK(out[4][i] == (same64 == members[i] ? members[i] : 0));
      CHECK(out[5][i] == (same64 == members[i] ? 1u : 0u));
    }
  }
}

TEST_CASE("redux.sync of integers") {
  using Reduce = std::function<uint32_t(uint32_t, uint32_t)>;
  const auto s = [](uint32_t x) { return static_cast<int32_t>(x); };
  const std::vector<std::pair<std::string, Reduce>> operations = {
      {"add.u32", [](uint32_t x, uint32_t y) { return x + y; }},
      {"add.s32", [](uint32_t x, uint32_t y) { return x + y; }},
      {"min.u32", [](uint32_t x, uint32_t y) { return x < y ? x : y; }},
      {"max.u32", [](uint32_t x, uint32_t y) { return x > y ? x : y; }},
      {"min.s32", [s](uint32_t x, uint32_t y) { return s(x) < s(y) ? x : y; }},
      {"max.s32", [s](uint32_t x, uint32_t y) { return s(x) > s(y) ? x : y; }},
      {"and.b32", [](uint32_t x, uint32_t y) { return x & y; }},
      {"or.b32", [](uint32_t x, uint32_t y) { return x | y; }},
      {"xor.b32", [](uint32_t x, uint32_t y) { return x ^ y; }},
  };
  for (const auto& [name, reduce] : operations) {
    LaneKernel k = kernel("redux.sync." + name + " %d0, %a0, %a1;", 2, 1);
    for (uint32_t groups = 1; groups < 6; ++groups) {
      const Lanes members = partition(groups), value = random_lanes();
      const Lanes out = k.run({value, members})[0];
      REQUIRE(k.error == 0);
      for (uint32_t i = 0; i < 32; ++i) {
        uint32_t sum = value[i];
        for (uint32_t j = 0; j < 32; ++j)
          if (j != i && (members[i] >> j & 1) != 0) sum = reduce(sum, value[j]);
        CHECK(out[i] == sum);
      }
    }
  }
}

TEST_CASE("redux.sync of floats") {
  const std::string body =
      "mov.b32 %f0, %a0;\n"
      "redux.sync.min.f32 %f1, %f0, 0xffffffff;\nredux.sync.max.f32 %f2, %f0, 0xffffffff;\n"
      "redux.sync.max.abs.f32 %f3, %f0, 0xffffffff;\nredux.sync.min.NaN.f32 %f4, %f0, 0xffffffff;\n"
      "mov.b32 %d0, %f1;\nmov.b32 %d1, %f2;\nmov.b32 %d2, %f3;\nmov.b32 %d3, %f4;\n";
  LaneKernel k = kernel(body, 1, 4);
  k.target = "sm_100a";
  for (int round = 0; round < 20; ++round) {
    Lanes value = random_lanes();
    const bool with_nan = round % 2 == 0;
    float low = INFINITY, high = -INFINITY, most = 0;
    for (uint32_t i = 0; i < 32; ++i) {
      value[i] = as_bits((static_cast<float>(value[i] % 20001) - 10000.0f) / 16.0f);
      if (with_nan && i % 5 == 2) value[i] = 0x7FC01234u;
      const float x = as_float(value[i]);
      if (std::isnan(x)) continue;
      low = std::fmin(low, x);
      high = std::fmax(high, x);
      most = std::fmax(most, std::fabs(x));
    }
    const std::vector<Lanes> out = k.run({value});
    REQUIRE(k.error == 0);
    for (uint32_t i = 0; i < 32; ++i) {
      CHECK(out[0][i] == as_bits(low));
      CHECK(out[1][i] == as_bits(high));
      CHECK(out[2][i] == as_bits(most));
      CHECK(out[3][i] == (with_nan ? 0x7FFFFFFFu : as_bits(low)));
    }
  }
}

TEST_CASE("activemask and elect.sync") {
  const std::string body =
      "setp.ne.u32 %p0, %a0, 0;\n@!%p0 bra DONE;\nactivemask.b32 %d0;\n"
      "elect.sync %d1|%p1, %a1;\nselp.u32 %d2, 1, 0, %p1;\nelect.sync _|%p2, %a1;\nselp.u32 %d3, 1, 0, "
      "%p2;\nDONE:\n";
  LaneKernel k = kernel(body, 2, 4);
  for (int round = 0; round < 10; ++round) {
    Lanes chosen = random_lanes(2);
    chosen[9] = 1;
    uint32_t mask = 0;
    for (uint32_t i = 0; i < 32; ++i) mask |= chosen[i] << i;
    const uint32_t leader = static_cast<uint32_t>(__builtin_ctz(mask));
    const std::vector<Lanes> out = k.run({chosen, Lanes(32, mask)});
    REQUIRE(k.error == 0);
    for (uint32_t i = 0; i < 32; ++i) {
      if (chosen[i] == 0) {
        CHECK(out[0][i] == kUntouched);
        continue;
      }
      CHECK(out[0][i] == mask);
      CHECK(out[1][i] == leader);
      CHECK(out[2][i] == (i == leader ? 1u : 0u));
      CHECK(out[3][i] == (i == leader ? 1u : 0u));
    }
  }
}

TEST_CASE("bar.warp.sync waits for lanes that come late") {
  // The odd lanes pass through shared memory what the even ones write on their longer way.
  const std::string body =
      "and.b32 %t0, %lane, 1;\nsetp.ne.u32 %p0, %t0, 0;\nshl.b32 %t1, %lane, 2;\nmov.u32 %t2, tile;\n"
      "add.u32 %t3, %t1, %t2;\n@%p0 bra MEET;\nst.shared.b32 [%t3], %a0;\nMEET:\nbar.warp.sync 0xffffffff;\n"
      "xor.b32 %t4, %t1, 4;\nadd.u32 %t4, %t4, %t2;\n@%p0 ld.shared.b32 %d0, [%t4];\n";
  LaneKernel k = kernel(body, 1, 1);
  k.shared = 128;
  const Lanes value = random_lanes();
  const Lanes out = k.run({value})[0];
  REQUIRE(k.error == 0);
  for (uint32_t i = 0; i < 32; ++i) CHECK(out[i] == (i % 2 == 1 ? value[i - 1] : kUntouched));
}

}  // namespace vgpu::test
