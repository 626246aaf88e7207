// What kind of work a PTX instruction is: the rows of the instruction mix, and its floating-point operations.
#pragma once

#include <cstdint>

#include "ptx/module.h"

namespace vgpu::check {

enum class Class : uint8_t {
  Fp32Fma,
  Fp32Add,
  Fp32Mul,
  Fp32Special,
  Fp32Other,
  Fp64,
  Fp16,
  Integer,
  Conversion,
  Move,
  Compare,
  LoadGlobal,
  LoadShared,
  LoadLocal,
  LoadParam,
  LoadConst,
  LoadGeneric,
  StoreGlobal,
  StoreShared,
  StoreLocal,
  StoreParam,
  StoreGeneric,
  Atomic,
  AsyncCopy,
  Matrix,
  MatrixLoad,
  Shuffle,
  Barrier,
  Fence,
  Control,
  Other,
  Count
};

enum class Precision : uint8_t { None, Fp16, Fp32, Fp64 };

struct InstructionFacts {
  Class kind = Class::Other;
  Precision precision = Precision::None;
  uint32_t flops = 0;  // a lane; those of mma are counted when it runs
};

InstructionFacts classify(const ptx::Instruction& instruction);
const char* name_of(Class kind);  // "fp32_fma"

}  // namespace vgpu::check
