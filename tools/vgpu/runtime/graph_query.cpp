// Looking at graphs and changing their edges; cudaGraphDebugDotPrint.
#include <algorithm>
#include <fstream>
#include <unordered_set>

#include "runtime/context.h"
#include "runtime/graph.h"

using namespace vgpu::runtime;

namespace {

struct Edge {
  Node* from;
  Node* to;
  cudaGraphEdgeData data;
};

// The API's way of returning lists: with no array the count, else at most *count entries, the rest nulled.
template <class Value>
cudaError_t give_list(const std::vector<Value>& values, Value* array, size_t* count) {
  if (count == nullptr) return cudaErrorInvalidValue;
  if (array != nullptr) {
    for (size_t i = 0; i < *count; i++) array[i] = i < values.size() ? values[i] : Value{};
    *count = std::min(*count, values.size());
  } else {
    *count = values.size();
  }
  return cudaSuccess;
}

std::vector<Edge> edges_of(const Graph& graph) {
  std::vector<Edge> edges;
  for (const auto& node : graph.nodes)
    for (size_t i = 0; i < node->after.size(); i++)
      edges.push_back({node->after[i], node.get(), node->edges[i]});
  return edges;
}

bool carries_data(const cudaGraphEdgeData& data) {
  return data.from_port != 0 || data.to_port != 0 || data.type != 0;
}

cudaError_t give_edges(const std::vector<Edge>& edges, cudaGraphNode_t* from, cudaGraphNode_t* to,
                       cudaGraphEdgeData* data, size_t* count) {
  if (count == nullptr) return cudaErrorInvalidValue;
  const bool lossy = data == nullptr && std::any_of(edges.begin(), edges.end(),
                                                    [](const Edge& edge) { return carries_data(edge.data); });
  if (from == nullptr && to == nullptr) {
    *count = edges.size();
    return cudaSuccess;
  }
  if (lossy) return cudaErrorLossyQuery;
  for (size_t i = 0; i < *count; i++) {
    const bool there = i < edges.size();
    if (from != nullptr) from[i] = there ? handle_of(edges[i].from) : nullptr;
    if (to != nullptr) to[i] = there ? handle_of(edges[i].to) : nullptr;
    if (data != nullptr) data[i] = there ? edges[i].data : cudaGraphEdgeData{};
  }
  *count = std::min(*count, edges.size());
  return cudaSuccess;
}

// Does `start` depend on `goal`? Then an edge from start to goal would close a circle.
bool depends_on(const Node* start, const Node* goal) {
  std::vector<const Node*> stack{start};
  std::unordered_set<const Node*> seen{start};
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (node == goal) return true;
    for (const Node* next : node->after)
      if (seen.insert(next).second) stack.push_back(next);
  }
  return false;
}

cudaError_t change_edges(cudaGraph_t handle, const cudaGraphNode_t* from, const cudaGraphNode_t* to,
                         const cudaGraphEdgeData* data, size_t count, bool add) {
  Graph* graph = graph_of(handle);
  if (graph == nullptr || (count != 0 && (from == nullptr || to == nullptr))) return cudaErrorInvalidValue;
  for (size_t i = 0; i < count; i++) {
    Node* first = node_of(from[i]);
    Node* second = node_of(to[i]);
    if (!graph->owns(first) || !graph->owns(second)) return cudaErrorInvalidValue;
    if (add && depends_on(first, second)) return cudaErrorInvalidValue;
    const bool done = add ? graph->add_edge(first, second, data != nullptr ? &data[i] : nullptr)
                          : graph->remove_edge(first, second);
    if (!done) return cudaErrorInvalidValue;
  }
  return cudaSuccess;
}

}  // namespace

VGPU_API cudaError_t cudaGraphGetNodes(cudaGraph_t handle, cudaGraphNode_t* nodes, size_t* count) {
  return api([&] {
    const Graph* graph = graph_of(handle);
    if (graph == nullptr) return cudaErrorInvalidValue;
    std::vector<cudaGraphNode_t> all;
    for (const auto& node : graph->nodes) all.push_back(handle_of(node.get()));
    return give_list(all, nodes, count);
  });
}

VGPU_API cudaError_t cudaGraphGetRootNodes(cudaGraph_t handle, cudaGraphNode_t* nodes, size_t* count) {
  return api([&] {
    const Graph* graph = graph_of(handle);
    if (graph == nullptr) return cudaErrorInvalidValue;
    std::vector<cudaGraphNode_t> roots;
    for (const auto& node : graph->nodes)
      if (node->after.empty()) roots.push_back(handle_of(node.get()));
    return give_list(roots, nodes, count);
  });
}

VGPU_API cudaError_t cudaGraphGetEdges(cudaGraph_t handle, cudaGraphNode_t* from, cudaGraphNode_t* to,
                                       cudaGraphEdgeData* data, size_t* count) {
  return api([&] {
    const Graph* graph = graph_of(handle);
    if (graph == nullptr || (from == nullptr) != (to == nullptr)) return cudaErrorInvalidValue;
    return give_edges(edges_of(*graph), from, to, data, count);
  });
}

VGPU_API cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t handle, cudaGraphNode_t* nodes,
                                                  cudaGraphEdgeData* data, size_t* count) {
  return api([&] {
    Node* node = node_of(handle);
    if (node == nullptr) return cudaErrorInvalidValue;
    std::vector<Edge> edges = edges_of(*node->graph);
    std::erase_if(edges, [&](const Edge& edge) { return edge.to != node; });
    return give_edges(edges, nodes, nullptr, data, count);
  });
}

VGPU_API cudaError_t cudaGraphNodeGetDependentNodes(cudaGraphNode_t handle, cudaGraphNode_t* nodes,
                                                    cudaGraphEdgeData* data, size_t* count) {
  return api([&] {
    Node* node = node_of(handle);
    if (node == nullptr) return cudaErrorInvalidValue;
    std::vector<Edge> edges = edges_of(*node->graph);
    std::erase_if(edges, [&](const Edge& edge) { return edge.from != node; });
    return give_edges(edges, nullptr, nodes, data, count);
  });
}

VGPU_API cudaError_t cudaGraphAddDependencies(cudaGraph_t graph, const cudaGraphNode_t* from,
                                              const cudaGraphNode_t* to, const cudaGraphEdgeData* data,
                                              size_t count) {
  return api([&] { return change_edges(graph, from, to, data, count, true); });
}

VGPU_API cudaError_t cudaGraphRemoveDependencies(cudaGraph_t graph, const cudaGraphNode_t* from,
                                                 const cudaGraphNode_t* to, const cudaGraphEdgeData* data,
                                                 size_t count) {
  return api([&] { return change_edges(graph, from, to, data, count, false); });
}

VGPU_API cudaError_t cudaGraphNodeGetType(cudaGraphNode_t handle, cudaGraphNodeType* type) {
  return api([&] {
    const Node* node = node_of(handle);
    if (node == nullptr || type == nullptr) return cudaErrorInvalidValue;
    *type = type_of(node->work);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphDebugDotPrint(cudaGraph_t handle, const char* path, unsigned) {
  return api([&] {
    const Graph* graph = graph_of(handle);
    if (graph == nullptr || path == nullptr) return cudaErrorInvalidValue;
    std::ofstream out(path);
    out << "digraph graph_1 {\n";
    for (const auto& node : graph->nodes) {
      std::string label = describe(node->work);
      std::replace(label.begin(), label.end(), '"', '\'');
      out << "  node_" << node->id << " [label=\"" << node->id << ": " << label << "\"];\n";
    }
    for (const Edge& edge : edges_of(*graph))
      out << "  node_" << edge.from->id << " -> node_" << edge.to->id << ";\n";
    out << "}\n";
    return out.good() ? cudaSuccess : cudaErrorOperatingSystem;
  });
}
