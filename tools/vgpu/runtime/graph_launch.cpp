// Graph launches. In lazy mode each node becomes an operation after its dependencies, so that branches run in
// any order and a missing edge is found like a missing event.
#include "runtime/graph_launch.h"

#include <algorithm>

#include "runtime/capture.h"
#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/lazy.h"
#include "runtime/stream.h"

namespace vgpu::runtime {
namespace {

using Operations = std::vector<std::shared_ptr<Operation>>;

// Memory of allocation nodes that an earlier launch has left allocated.
cudaError_t settle_allocations(const GraphExec& exec) {
  for (const auto& node : exec.graph->nodes) {
    const auto* work = std::get_if<AllocateWork>(&node->work);
    if (work == nullptr || !work->graph_allocation->live) continue;
    if ((exec.flags & cudaGraphInstantiateFlagAutoFreeOnLaunch) == 0) return cudaErrorInvalidValue;
    work->graph_allocation->live = false;
  }
  return cudaSuccess;
}

bool has_allocations(const GraphExec& exec) {
  return std::any_of(exec.graph->nodes.begin(), exec.graph->nodes.end(),
                     [](const auto& node) { return std::holds_alternative<AllocateWork>(node->work); });
}

// Lanes of the vector clocks: a node goes on in the lane of a dependency that nobody else continues, else in
// a new one.
void assign_lanes(GraphExec& exec, const Graph& graph) {
  std::vector<const Node*> continued;
  for (const Node* node : graph.in_order()) {
    if (const auto* child = std::get_if<ChildGraphWork>(&node->work)) assign_lanes(exec, *child->graph);
    const auto free = std::find_if(node->after.begin(), node->after.end(), [&](const Node* before) {
      return std::find(continued.begin(), continued.end(), before) == continued.end();
    });
    if (free != node->after.end()) {
      continued.push_back(*free);
      exec.lane_of[node] = exec.lane_of[*free];
      continue;
    }
    exec.lanes.push_back(new_lane());
    exec.lane_of[node] = exec.lanes.back();
  }
}

// Queues the nodes; returns the operations that nothing in the graph follows.
Operations queue_nodes(GraphExec& exec, const Graph& graph, const Operations& start,
                       const std::string& place) {
  std::unordered_map<const Node*, std::shared_ptr<Operation>> operation_of;
  Operations ends;
  for (Node* node : graph.in_order()) {
    Operations after;
    for (const Node* before : node->after) after.push_back(operation_of[before]);
    if (after.empty()) after = start;
    const uint32_t lane = exec.lane_of[node];
    std::string name = describe(node->work) + " (graph node " + std::to_string(node->id) + ") in " + place;
    if (const auto* child = std::get_if<ChildGraphWork>(&node->work)) {
      const Operations inner = queue_nodes(exec, *child->graph, after, place);
      operation_of[node] = enqueue_in_lane(lane, EmptyWork{}, std::move(name), inner);
    } else {
      if (const auto* wait = std::get_if<WaitWork>(&node->work)) after.push_back(wait->event->operation);
      Work work = node->enabled ? node->work : Work{EmptyWork{}};
      operation_of[node] = enqueue_in_lane(lane, std::move(work), std::move(name), after);
      if (const auto* record = std::get_if<RecordWork>(&node->work)) {
        record->event->operation = operation_of[node];
        record->event->recorded = true;
      }
    }
    for (const Node* before : node->after) std::erase(ends, operation_of[before]);
    ends.push_back(operation_of[node]);
  }
  return ends.empty() ? start : ends;
}

void queue_graph(GraphExec& exec, Stream& stream) {
  if (exec.lane_of.empty()) assign_lanes(exec, *exec.graph);
  // One operation in the stream stands for the launch's beginning, one for its end.
  const auto begin = enqueue(stream, EmptyWork{}, {exec.last});
  const Operations ends = queue_nodes(exec, *exec.graph, {begin}, stream_name(stream));
  exec.last = enqueue(stream, EmptyWork{}, ends);
}

}  // namespace

cudaError_t launch_graph(GraphExec& exec, cudaStream_t handle) {
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (stream->capture) {
    ChildGraphWork child{register_graph(clone(*exec.graph))};
    child.graph->owned_by_node = true;
    return capture_work(*stream, std::move(child));
  }
  if (const cudaError_t error = check_legacy_use(*stream); error != cudaSuccess) return error;
  if (lazy_mode() && has_allocations(exec)) run_until_done(exec.last);
  if (const cudaError_t error = settle_allocations(exec); error != cudaSuccess) return error;
  if (!lazy_mode()) return run_in_order(*exec.graph);
  queue_graph(exec, *stream);
  return cudaSuccess;
}

cudaError_t finish_launches(GraphExec& exec) {
  return lazy_mode() ? run_until_done(exec.last) : cudaSuccess;
}

void forget_lanes(GraphExec& exec) {
  if (lazy_mode() && exec.last) run_until_done(exec.last);
  for (const uint32_t lane : exec.lanes) retire_lane(lane);
  exec.lanes.clear();
  exec.lane_of.clear();
}

}  // namespace vgpu::runtime
