// What an op needs to run: where (Exec), memory (Arena), which convolution rows (ConvPlan). During a dry run
// ops allocate as they would but launch nothing, so the memory and the plan are known before step 0.
#pragma once

#include "engine/runtime/arena.h"
#include "engine/tensor/tensor.h"
#include "kernels/base/exec.h"

namespace engine {

class ConvPlan;

/// `exec` with scratch memory.
inline kernels::Exec with_workspace(kernels::Exec exec, void* data, size_t bytes) {
  exec.workspace = {data, bytes};
  return exec;
}

struct Context {
  kernels::Exec exec;
  Arena* arena = nullptr;
  ConvPlan* plan = nullptr;

  /// True during the dry run: skip every kernel.
  bool dry() const { return arena->measuring(); }
  /// An uninitialised tensor from the arena.
  Tensor allocate(Shape shape, DType dtype) const {
    return {shape, dtype, arena->allocate(static_cast<size_t>(shape.count()) * kernels::dtype_size(dtype)),
            arena->place()};
  }
};

}  // namespace engine
