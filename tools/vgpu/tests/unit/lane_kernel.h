// One warp runs a few lines of PTX on registers that the test fills: for instructions that lanes execute
// together.
//
// The lines read %a0, %a1 ... (32 bits each, from the test) and %lane, and leave their results in %d0, %d1
// ...; there are scratch registers %t0-15 (.b32), %f0-15 (.f32), %q0-15 (.b64), %g0-15 (.f64) and predicates
// %p0-15.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/harness.h"

namespace vgpu::test {

using Lanes = std::vector<uint32_t>;  // a 32-bit register of 32 lanes

struct LaneKernel {
  std::string body;
  size_t inputs = 0, outputs = 0;
  uint32_t threads = 32;
  uint32_t shared = 0;  // bytes of `tile`, a shared array
  std::string target = "sm_90";
  int error = 0;  // of the launch

  // `in` and the result: one entry a register. Results begin as 0xAAAAAAAA.
  std::vector<Lanes> run(const std::vector<Lanes>& in) {
    PtxProgram program(text(), target);
    DeviceArray<uint32_t> from(inputs * 32 + 1), to(outputs * 32 + 1, 0xAAAAAAAAu);
    for (size_t r = 0; r < inputs; ++r)
      for (size_t lane = 0; lane < 32; ++lane) from[r * 32 + lane] = in.at(r).at(lane);
    error = program.run("k", {1}, {threads}, {from.address(), to.address()});
    std::vector<Lanes> out(outputs, Lanes(32));
    for (size_t r = 0; r < outputs; ++r)
      for (size_t lane = 0; lane < 32; ++lane) out[r][lane] = to[r * 32 + lane];
    return out;
  }

  std::string text() const {
    std::string t = ".visible .entry k(.param .u64 from, .param .u64 to)\n{\n";
    t += ".reg .b32 %a<" + std::to_string(inputs + 1) + ">, %d<" + std::to_string(outputs + 1) +
         ">, %t<16>;\n";
    t += ".reg .b32 %lane;\n.reg .f32 %f<16>;\n.reg .b64 %q<16>, %in, %out, %place;\n.reg .f64 %g<16>;\n";
    t += ".reg .pred %p<16>;\n";
    if (shared != 0) t += ".shared .align 128 .b8 tile[" + std::to_string(shared) + "];\n";
    t += "ld.param.u64 %in, [from];\nld.param.u64 %out, [to];\nmov.u32 %lane, %tid.x;\n";
    t += "mul.wide.u32 %place, %lane, 4;\nadd.s64 %in, %in, %place;\nadd.s64 %out, %out, %place;\n";
    for (size_t r = 0; r < outputs; ++r) t += "mov.b32 %d" + std::to_string(r) + ", 0xAAAAAAAA;\n";
    for (size_t r = 0; r < inputs; ++r)
      t += "ld.global.b32 %a" + std::to_string(r) + ", [%in+" + std::to_string(r * 128) + "];\n";
    t += body + "\n";
    for (size_t r = 0; r < outputs; ++r)
      t += "st.global.b32 [%out+" + std::to_string(r * 128) + "], %d" + std::to_string(r) + ";\n";
    return t + "ret;\n}\n";
  }
};

}  // namespace vgpu::test
