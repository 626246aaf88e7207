// Where a kernel runs: backend, device, stream, threads, instruction set, and scratch memory.
// Kernels get an Exec, a problem struct and raw pointers; they know neither tensors nor the tape.
#pragma once

#include <cstddef>

#include "kernels/base/parallel.h"

namespace kernels {

enum class Backend { Cpu, Cuda };

constexpr const char* backend_name(Backend backend) {
  return backend == Backend::Cpu ? "cpu" : "cuda";
}

/// Instruction sets of the CPU rows, chosen at run time.
enum class Isa { Portable, Avx2, Avx512 };

const char* isa_name(Isa isa);

/// The best instruction set this processor has; CPM_ISA=portable|avx2|avx512 in the environment caps it
/// (an instruction set the processor lacks, or an unknown name, is a Usage error).
Isa best_isa();

/// Scratch memory booked at planning time, 64-byte aligned; contents are undefined.
struct Workspace {
  void* data = nullptr;
  size_t bytes = 0;
};

struct Exec {
  Backend backend = Backend::Cpu;
  int device = 0;
  void* stream = nullptr;  // the backend's stream; the CPU has none
  ThreadPool* threads = nullptr;
  Isa isa = Isa::Portable;
  bool deterministic = true;  // the same bits from run to run; our own kernels always give them
  Workspace workspace = {};
};

}  // namespace kernels
