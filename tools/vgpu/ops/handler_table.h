// Handlers by name, once per instruction set.
//
// A file ops/*_simd.cpp is compiled two times (VGPU_ISA = avx2, avx512) and must define everything inside
// namespace vgpu::VGPU_ISA or an anonymous one, must not include a header of the standard library that
// defines inline functions (a linker may keep either copy of those), and ends with one table:
//   namespace vgpu::VGPU_ISA { extern const HandlerEntry kIntegerHandlers[]; ... terminated by {nullptr,
//   nullptr} }
#pragma once

#include "core/inst.h"

namespace vgpu {

struct HandlerEntry {
  const char* name;
  Handler run;
};

#define VGPU_DECLARE_TABLES(ISA)                     \
  namespace ISA {                                    \
  extern const HandlerEntry kIntegerHandlers[];      \
  extern const HandlerEntry kBitHandlers[];          \
  extern const HandlerEntry kCompareHandlers[];      \
  extern const HandlerEntry kFloatHandlers[];        \
  extern const HandlerEntry kHalfHandlers[];         \
  extern const HandlerEntry kConvertHandlers[];      \
  extern const HandlerEntry kFloatConvertHandlers[]; \
  extern const HandlerEntry kMoveHandlers[];         \
  extern const HandlerEntry kLoadHandlers[];         \
  extern const HandlerEntry kStoreHandlers[];        \
  extern const HandlerEntry kAtomicHandlers[];       \
  extern const HandlerEntry kCollectiveHandlers[];   \
  extern const HandlerEntry kTensorHandlers[];       \
  extern const HandlerEntry kMmaHandlers[];          \
  extern const HandlerEntry kWmmaHandlers[];         \
  extern const HandlerEntry kAsyncHandlers[];        \
  }
VGPU_DECLARE_TABLES(avx2)
VGPU_DECLARE_TABLES(avx512)

// The handler of that name for the running processor, nullptr when there is none. Control flow has its
// handlers in core/ (compiled once) under the same roof.
Handler find_handler(const char* name);
const char* active_isa();  // "avx2" or "avx512"; VGPU_ISA=avx2 in the environment caps it

}  // namespace vgpu
