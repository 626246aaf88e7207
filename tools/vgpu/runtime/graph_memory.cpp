// Graphs' memory counters, and objects of the program that live as long as a graph.
#include <algorithm>

#include "runtime/context.h"
#include "runtime/graph.h"

using namespace vgpu::runtime;

VGPU_API cudaError_t cudaDeviceGraphMemTrim(int device) {
  return api([&] { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; });
}

VGPU_API cudaError_t cudaDeviceGetGraphMemAttribute(int device, cudaGraphMemAttributeType attribute,
                                                    void* value) {
  return api([&] {
    if (device != 0) return cudaErrorInvalidDevice;
    if (value == nullptr || attribute > cudaGraphMemAttrReservedMemHigh) return cudaErrorInvalidValue;
    const GraphMemory memory = graph_memory();
    const bool used = attribute == cudaGraphMemAttrUsedMemCurrent || attribute == cudaGraphMemAttrUsedMemHigh;
    *static_cast<uint64_t*>(value) = used ? memory.used : memory.reserved;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaDeviceSetGraphMemAttribute(int device, cudaGraphMemAttributeType attribute,
                                                    void* value) {
  return api([&] {
    if (device != 0) return cudaErrorInvalidDevice;
    const bool high =
        attribute == cudaGraphMemAttrUsedMemHigh || attribute == cudaGraphMemAttrReservedMemHigh;
    return value == nullptr || !high ? cudaErrorInvalidValue : cudaSuccess;
  });
}

VGPU_API cudaError_t cudaUserObjectCreate(cudaUserObject_t* result, void* pointer, cudaHostFn_t destroy,
                                          unsigned count, unsigned flags) {
  return api([&] {
    if (result == nullptr || destroy == nullptr || count == 0 || flags != cudaUserObjectNoDestructorSync)
      return cudaErrorInvalidValue;
    *result = reinterpret_cast<cudaUserObject_t>(new UserObject{destroy, pointer, count});
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaUserObjectRetain(cudaUserObject_t handle, unsigned count) {
  return api([&] {
    if (handle == nullptr || count == 0) return cudaErrorInvalidValue;
    reinterpret_cast<UserObject*>(handle)->references += count;
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaUserObjectRelease(cudaUserObject_t handle, unsigned count) {
  return api([&] {
    if (handle == nullptr || count == 0) return cudaErrorInvalidValue;
    release(*reinterpret_cast<UserObject*>(handle), count);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphRetainUserObject(cudaGraph_t handle, cudaUserObject_t object_handle,
                                               unsigned count, unsigned flags) {
  return api([&] {
    Graph* graph = graph_of(handle);
    auto* object = reinterpret_cast<UserObject*>(object_handle);
    if (graph == nullptr || object == nullptr || count == 0 ||
        (flags & ~unsigned{cudaGraphUserObjectMove}) != 0)
      return cudaErrorInvalidValue;
    if (flags != cudaGraphUserObjectMove) object->references += count;
    graph->objects.emplace_back(object, count);
    return cudaSuccess;
  });
}

VGPU_API cudaError_t cudaGraphReleaseUserObject(cudaGraph_t handle, cudaUserObject_t object_handle,
                                                unsigned count) {
  return api([&] {
    Graph* graph = graph_of(handle);
    auto* object = reinterpret_cast<UserObject*>(object_handle);
    if (graph == nullptr) return cudaErrorInvalidValue;
    const auto held = std::find_if(graph->objects.begin(), graph->objects.end(),
                                   [&](const auto& entry) { return entry.first == object; });
    if (held == graph->objects.end() || held->second < count) return cudaErrorInvalidValue;
    held->second -= count;
    if (held->second == 0) graph->objects.erase(held);
    release(*object, count);
    return cudaSuccess;
  });
}
