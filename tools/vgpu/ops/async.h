// What the engine must tell the asynchronous copies.
#pragma once

#include "core/block.h"

namespace vgpu {

// The last lane of the warp has exited: copies still in flight are reported (Check::Sync) and dropped.
void end_warp_async(Warp& warp);
// The block has ended: frees Block::async_state.
void end_block_async(Block& block);

}  // namespace vgpu
