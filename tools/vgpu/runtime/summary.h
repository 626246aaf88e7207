// A line about the run for the tool that started the program.
#pragma once

namespace vgpu::runtime {

// VGPU_SUMMARY=FILE: {"kernels": N, "isa": "avx2", "device": "..."} is written there when the process ends.
void write_summary_at_exit();

}  // namespace vgpu::runtime
