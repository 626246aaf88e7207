#include "core/trace.h"

#include <cstdio>

#include "core/block.h"
#include "core/program.h"
#include "core/settings.h"

namespace vgpu {

bool trace_enabled() {
  static const bool enabled = settings().trace;
  return enabled;
}

void trace(const Warp& warp, const Inst& inst) {
  const Source& source = warp.block->launch->program->sources[inst.source];
  std::string text(source.instruction == nullptr ? std::string_view("(generated)")
                                                 : source.instruction->text);
  for (char& c : text)
    if (c == '\n' || c == '\t') c = ' ';
  const Dim3& block = warp.block->index;
  std::fprintf(stderr, "vgpu: trace: block (%u,%u,%u) warp %u lanes %08x pc %u  %s\n", block.x, block.y,
               block.z, warp.id, warp.active, warp.pc, text.c_str());
}

}  // namespace vgpu
