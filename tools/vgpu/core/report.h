// Everything the virtual GPU prints: stderr lines that begin "vgpu: ". Silent otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/program.h"
#include "core/warp.h"

namespace vgpu {

// "saxpy(float*, float const*, int)" from the mangled name.
std::string demangle(std::string_view name);
// "kernels/conv.cu:57 (tile_load), inlined at kernels/conv.cu:120"; "no line information (compile with
// -lineinfo)".
std::string place(const ptx::Module& module, const ptx::Instruction& instruction);

// One line: vgpu: error: TEXT | kernel K | at FILE:LINE | block (x,y,z) thread (x,y,z) | instruction `...`
void report(Warp& warp, const Inst& inst, uint32_t lane, const std::string& text);
void report_line(const std::string& text);  // vgpu: error: TEXT

// A checker found something: the process will end with exit status 86 whatever main() returns.
void remember_finding();
bool had_finding();
// What was asked for cannot be delivered: exit status 74, unless there was a finding.
void remember_failure();
// True when finding() would stay silent for this instruction and kind; saves a checker the writing of the
// text.
bool already_found(const Inst& inst, Check check);
void forget_findings();  // for unit tests that provoke findings
// Runs `function` when the process ends, before the exit status is changed by findings.
void call_at_exit(void (*function)());

// A kernel fault on its way from a handler to execute(): the report has been printed.
struct KernelFault {
  int error = 0;
};

}  // namespace vgpu
