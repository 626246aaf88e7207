// cp.async: data lands when it is waited for and not before; groups of every lane on its own; sizes and zero
// fill. mbarrier: phases, counts, transactions, tokens, and arrivals that copies perform.
#include <random>

#include "tests/unit/catch.h"
#include "tests/unit/lane_kernel.h"

namespace vgpu::test {
namespace {

std::mt19937 random_bits(29);

Lanes random_lanes() {
  Lanes lanes(32);
  for (uint32_t& x : lanes) x = static_cast<uint32_t>(random_bits());
  return lanes;
}

Lanes constant_lanes(uint32_t value) {
  return Lanes(32, value);
}

// %t0: the lane's word in shared memory. `tile` is 0x11111111 everywhere to begin with. %in: the lane's first
// input.
const char* const kBegin =
    "mov.u32 %t1, tile;\nshl.b32 %t0, %lane, 2;\nadd.u32 %t0, %t0, %t1;\nmov.u32 %t2, 0x11111111;\n"
    "st.shared.b32 [%t0], %t2;\nst.shared.b32 [%t0+128], %t2;\nst.shared.b32 [%t0+256], %t2;\n"
    "st.shared.b32 [%t0+384], %t2;\nbar.warp.sync 0xffffffff;\n";

LaneKernel kernel(const std::string& body, size_t inputs, size_t outputs) {
  LaneKernel k;
  k.body = kBegin + body;
  k.inputs = inputs;
  k.outputs = outputs;
  k.shared = 1024;
  return k;
}

// `tile` holds an mbarrier at 512, initialised by lane 0 for `count` arrivals; %t3 is its address.
std::string barrier(uint32_t count) {
  return "add.u32 %t3, %t1, 512;\nsetp.eq.u32 %p0, %lane, 0;\n@%p0 mbarrier.init.shared::cta.b64 [%t3], " +
         std::to_string(count) + ";\nbar.warp.sync 0xffffffff;\n";
}

}  // namespace

TEST_CASE("cp.async lands at the wait and not before") {
  LaneKernel k = kernel(
      "cp.async.ca.shared.global [%t0], [%in], 4;\ncp.async.commit_group;\nld.shared.b32 %d0, [%t0];\n"
      "cp.async.ca.shared.global [%t0+128], [%in+128], 4;\ncp.async.commit_group;\n"
      "cp.async.ca.shared.global [%t0+256], [%in+256], 4;\n"
      "cp.async.wait_group 1;\nld.shared.b32 %d1, [%t0];\nld.shared.b32 %d2, [%t0+128];\n"
      "cp.async.wait_group 0;\nld.shared.b32 %d3, [%t0+128];\nld.shared.b32 %d4, [%t0+256];\n"
      "cp.async.wait_all;\nld.shared.b32 %d5, [%t0+256];\n",
      3, 6);
  const std::vector<Lanes> in = {random_lanes(), random_lanes(), random_lanes()};
  const std::vector<Lanes> out = k.run(in);
  REQUIRE(k.error == 0);
  const Lanes stale = constant_lanes(0x11111111);
  CHECK(out[0] == stale);
  CHECK(out[1] == in[0]);
  CHECK(out[2] == stale);
  CHECK(out[3] == in[1]);
  CHECK(out[4] == stale);
  CHECK(out[5] == in[2]);
}

TEST_CASE("cp.async groups belong to each lane") {
  // The odd lanes commit twice, so waiting for all but one group lands their copy and not that of the even
  // lanes.
  LaneKernel k = kernel(
      "and.b32 %t4, %lane, 1;\nsetp.ne.u32 %p0, %t4, 0;\n"
      "cp.async.ca.shared.global [%t0], [%in], 4;\ncp.async.commit_group;\n@%p0 cp.async.commit_group;\n"
      "cp.async.wait_group 1;\nld.shared.b32 %d0, [%t0];\n"
      "@!%p0 cp.async.wait_group 0;\nld.shared.b32 %d1, [%t0];\n",
      1, 2);
  const std::vector<Lanes> in = {random_lanes()};
  const std::vector<Lanes> out = k.run(in);
  REQUIRE(k.error == 0);
  for (uint32_t i = 0; i < 32; ++i) CHECK(out[0][i] == (i % 2 == 1 ? in[0][i] : 0x11111111u));
  CHECK(out[1] == in[0]);
}

TEST_CASE("cp.async of 8 and 16 bytes, source sizes and ignored sources") {
  // Each lane copies 16 bytes: lanes 0-7 their whole row, the others fewer bytes, the rest zero.
  const std::string body =
      "mul.lo.u32 %t5, %lane, 12;\ncvt.u64.u32 %q0, %t5;\nadd.s64 %q0, %q0, %in;\n"  // 4 bytes a lane before,
                                                                                     // 16 now
      "and.b32 %t6, %lane, 7;\nshl.b32 %t6, %t6, 4;\nadd.u32 %t6, %t6, %t1;\nsetp.lt.u32 %p0, %lane, 8;\n";
  const Lanes first = random_lanes();
  for (const uint32_t size : {0u, 4u, 5u, 12u, 16u, 99u}) {
    LaneKernel k = kernel(body + "@%p0 cp.async.cg.shared.global.L2::128B [%t6], [%q0], 16, %a1;\n" +
                              "cp.async.wait_all;\nbar.warp.sync 0xffffffff;\nld.shared.b32 %d0, [%t0];\n",
                          2, 1);
    const Lanes out = k.run({first, constant_lanes(size)})[0];
    REQUIRE(k.error == 0);
    for (uint32_t i = 0; i < 32; ++i) {
      const uint32_t begin = i % 4 * 4, present = size > begin ? std::min(4u, size - begin) : 0;
      const uint32_t mask = present == 4 ? ~0u : (1u << 8 * present) - 1;
      CHECK(out[i] == (first[i] & mask));
    }
  }
  LaneKernel ignoring = kernel(
      "setp.ne.u32 %p1, %a1, 0;\nand.b32 %t5, %lane, 1;\nsetp.eq.u32 %p0, %t5, 0;\n"
      "@%p0 cp.async.ca.shared.global [%t0], [%in], 8, %p1;\n"
      "cp.async.wait_all;\nbar.warp.sync 0xffffffff;\nld.shared.b32 %d0, [%t0];\n",
      2, 1);
  Lanes ignored(32);
  for (uint32_t i = 0; i < 32; ++i) ignored[i] = i / 2 % 2;
  const Lanes out = ignoring.run({first, ignored})[0];
  REQUIRE(ignoring.error == 0);
  for (uint32_t i = 0; i < 32; ++i) CHECK(out[i] == (ignored[i] != 0 ? 0 : first[i]));
}

TEST_CASE("cp.async faults like a load or a store") {
  LaneKernel misaligned = kernel("cp.async.cg.shared.global [%t0], [%in], 16;\ncp.async.wait_all;\n", 1, 0);
  misaligned.run({random_lanes()});
  CHECK(misaligned.error == 716);
  LaneKernel outside = kernel("cp.async.ca.shared.global [%t0+65536], [%in], 4;\ncp.async.wait_all;\n", 1, 0);
  outside.run({random_lanes()});
  CHECK(outside.error == 700);
  LaneKernel null = kernel("mov.u64 %q0, 0;\ncp.async.ca.shared.global [%t0], [%q0], 4;\n", 1, 0);
  null.run({random_lanes()});
  CHECK(null.error == 700);
}

TEST_CASE("mbarrier phases by token and by parity") {
  LaneKernel k = kernel(
      barrier(33) +
          "mbarrier.arrive.shared::cta.b64 %q0, [%t3];\n"
          "mbarrier.pending_count.b64 %d0, %q0;\n"
          "mbarrier.test_wait.shared::cta.b64 %p1, [%t3], %q0;\nselp.u32 %d1, 1, 0, %p1;\n"
          "mbarrier.test_wait.parity.shared::cta.b64 %p2, [%t3], 0;\nselp.u32 %d2, 1, 0, %p2;\n"
          "mbarrier.try_wait.parity.shared::cta.b64 %p3, [%t3], 1, 100;\nselp.u32 %d3, 1, 0, %p3;\n"
          "@%p0 mbarrier.arrive.shared::cta.b64 _, [%t3];\nbar.warp.sync 0xffffffff;\n"
          "mbarrier.try_wait.shared::cta.b64 %p1, [%t3], %q0;\nselp.u32 %d4, 1, 0, %p1;\n"
          "mbarrier.try_wait.parity.shared.b64 %p2, [%t3], 0;\nselp.u32 %d5, 1, 0, %p2;\n"
          "mbarrier.arrive.release.cta.shared::cta.b64 %q1, [%t3];\nmbarrier.pending_count.b64 %d6, %q1;\n"
          "@%p0 mbarrier.inval.shared::cta.b64 [%t3];\n",
      0, 7);
  const std::vector<Lanes> out = k.run({});
  REQUIRE(k.error == 0);
  for (uint32_t i = 0; i < 32; ++i) {
    CHECK(out[0][i] == 33 - i);
    CHECK(out[1][i] == 0);
    CHECK(out[2][i] == 0);
    CHECK(out[3][i] == 1);  // the phase before the first has ended
    CHECK(out[4][i] == 1);
    CHECK(out[5][i] == 1);
    CHECK(out[6][i] == 33 - i);
  }
}

TEST_CASE("mbarrier counts, drops and transactions") {
  LaneKernel k =
      kernel(barrier(4) +
                 "@!%p0 bra DONE;\n"
                 "mbarrier.arrive.noComplete.shared::cta.b64 %q0, [%t3], 2;\n"
                 "mbarrier.arrive_drop.shared::cta.b64 %q1, [%t3];\nmbarrier.pending_count.b64 %d0, %q1;\n"
                 "mbarrier.arrive.expect_tx.shared::cta.b64 %q2, [%t3], 48;\n"
                 "mbarrier.test_wait.shared::cta.b64 %p1, [%t3], %q0;\nselp.u32 %d1, 1, 0, %p1;\n"
                 "mbarrier.complete_tx.shared::cta.b64 [%t3], 16;\n"
                 "mbarrier.test_wait.shared::cta.b64 %p1, [%t3], %q0;\nselp.u32 %d2, 1, 0, %p1;\n"
                 "mbarrier.complete_tx.shared::cta.b64 [%t3], 32;\n"
                 "mbarrier.test_wait.shared::cta.b64 %p1, [%t3], %q0;\nselp.u32 %d3, 1, 0, %p1;\n"
                 "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%t3], 8;\n"
                 "mbarrier.arrive.shared::cta.b64 %q3, [%t3], 3;\nmbarrier.pending_count.b64 %d4, %q3;\n"
                 "mbarrier.test_wait.shared::cta.b64 %p1, [%t3], %q3;\nselp.u32 %d5, 1, 0, %p1;\nDONE:\n",
             0, 6);
  const std::vector<Lanes> out = k.run({});
  REQUIRE(k.error == 0);
  CHECK(out[0][0] == 2);
  CHECK(out[1][0] == 0);
  CHECK(out[2][0] == 0);
  CHECK(out[3][0] == 1);
  CHECK(out[4][0] == 3);  // one of four dropped out
  CHECK(out[5][0] == 0);
}

TEST_CASE("cp.async.mbarrier.arrive lands the copies when somebody waits") {
  for (const bool increments : {false, true}) {
    LaneKernel k =
        kernel(barrier(increments ? 1 : 33) +
                   "cp.async.ca.shared.global [%t0], [%in], 4;\ncp.async.mbarrier.arrive" +
                   (increments ? "" : ".noinc") +
                   ".shared::cta.b64 [%t3];\ncp.async.ca.shared.global [%t0+128], [%in], 4;\n"
                   "ld.shared.b32 %d0, [%t0];\nbar.warp.sync 0xffffffff;\n"
                   "mbarrier.try_wait.parity.shared::cta.b64 %p1, [%t3], 0;\nselp.u32 %d1, 1, 0, %p1;\n"
                   "ld.shared.b32 %d2, [%t0];\nld.shared.b32 %d3, [%t0+128];\n"
                   "@%p0 mbarrier.arrive.shared::cta.b64 %q0, [%t3];\nbar.warp.sync 0xffffffff;\n"
                   "mbarrier.try_wait.parity.shared::cta.b64 %p1, [%t3], 0;\nselp.u32 %d4, 1, 0, %p1;\n"
                   "cp.async.wait_all;\nld.shared.b32 %d5, [%t0+128];\n",
               1, 6);
    const std::vector<Lanes> in = {random_lanes()};
    const std::vector<Lanes> out = k.run(in);
    REQUIRE(k.error == 0);
    CHECK(out[0] == constant_lanes(0x11111111));
    CHECK(out[1] == constant_lanes(0));
    CHECK(out[2] == in[0]);
    CHECK(out[3] == constant_lanes(0x11111111));
    CHECK(out[4] == constant_lanes(1));
    CHECK(out[5] == in[0]);
  }
}

TEST_CASE("warps hand data over through an mbarrier") {
  // Warp 0 copies and arrives; warp 1 spins on try_wait and reads what has landed.
  const std::string text = R"(
.visible .entry k(.param .u64 from, .param .u64 to)
{
.reg .b32 %r<9>; .reg .b64 %q<9>; .reg .pred %p<3>;
.shared .align 128 .b8 tile[256];
ld.param.u64 %q0, [from]; ld.param.u64 %q1, [to];
mov.u32 %r0, %tid.x; and.b32 %r1, %r0, 31; mul.wide.u32 %q2, %r1, 4;
add.s64 %q0, %q0, %q2; add.s64 %q1, %q1, %q2;
mov.u32 %r2, tile; shl.b32 %r3, %r1, 2; add.u32 %r3, %r3, %r2;
setp.eq.u32 %p0, %r0, 0;
@%p0 mbarrier.init.shared::cta.b64 [%r2+128], 32;
bar.sync 0;
setp.lt.u32 %p1, %r0, 32;
@!%p1 bra SPIN;
cp.async.ca.shared.global [%r3], [%q0], 4;
cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%r2+128];
ret;
SPIN:
mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r2+128], 0;
@!%p2 bra SPIN;
ld.shared.b32 %r4, [%r3];
st.global.b32 [%q1], %r4;
ret;
}
)";
  const Lanes value = random_lanes();
  DeviceArray<uint32_t> from(value), to(32, 0);
  PtxProgram program(text);
  REQUIRE(program.run("k", {1}, {64}, {from.address(), to.address()}) == 0);
  CHECK(to.values() == value);
}

TEST_CASE("what this device does not have names itself when it is executed") {
  for (const std::string instruction :
       {"wgmma.fence.sync.aligned;", "cp.async.bulk.commit_group;", "tcgen05.wait::ld.sync.aligned;"}) {
    LaneKernel k = kernel(instruction, 0, 0);
    k.target = "sm_90a";
    k.run({});
    CHECK(k.error != 0);
  }
  LaneKernel hint = kernel("setmaxnreg.inc.sync.aligned.u32 160;\ngriddepcontrol.wait;\n", 0, 0);
  hint.run({});
  CHECK(hint.error == 0);
}

}  // namespace vgpu::test
