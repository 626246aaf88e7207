// Launching executable graphs, at once or into the queues of lazy mode.
#pragma once

#include "runtime/graph.h"

namespace vgpu::runtime {

cudaError_t launch_graph(GraphExec& exec, cudaStream_t stream);
cudaError_t finish_launches(GraphExec& exec);  // before it is destroyed
void forget_lanes(GraphExec& exec);            // its nodes have changed
void destroy_execs();                          // cudaDeviceReset

}  // namespace vgpu::runtime
