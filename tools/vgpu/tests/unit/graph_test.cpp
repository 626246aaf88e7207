// Graphs by capture and by hand, and the rules of capture.
#include <algorithm>
#include <vector>

#include "runtime/happens_before.h"
#include "tests/unit/catch.h"
#include "tests/unit/runtime_fixture.h"

using namespace vgpu::test;

namespace {

struct Stream {
  cudaStream_t handle = nullptr;
  explicit Stream(unsigned flags = cudaStreamDefault) {
    REQUIRE(cudaStreamCreateWithFlags(&handle, flags) == cudaSuccess);
  }
  ~Stream() { cudaStreamDestroy(handle); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
};

int* device_ints(int count, int value) {
  int* p = nullptr;
  REQUIRE(cudaMalloc(reinterpret_cast<void**>(&p), static_cast<size_t>(count) * sizeof(int)) == cudaSuccess);
  const std::vector<int> values(static_cast<size_t>(count), value);
  REQUIRE(cudaMemcpy(p, values.data(), values.size() * sizeof(int), cudaMemcpyHostToDevice) == cudaSuccess);
  return p;
}

int read_one(const int* p) {
  int value = 0;
  REQUIRE(cudaMemcpy(&value, p, sizeof value, cudaMemcpyDeviceToHost) == cudaSuccess);
  return value;
}

cudaGraph_t capture_two_scales(cudaStream_t stream, int* p, int first, int second) {
  cudaGraph_t graph = nullptr;
  REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
  REQUIRE(launch_scale(p, first, 8, stream) == cudaSuccess);
  REQUIRE(launch_scale(p, second, 8, stream) == cudaSuccess);
  REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
  return graph;
}

// The clone has the node, and losing it there does not touch the original.
void clone_and_look(cudaGraph_t graph, cudaGraphNode_t kernel) {
  cudaGraph_t copy = nullptr;
  REQUIRE(cudaGraphClone(&copy, graph) == cudaSuccess);
  cudaGraphNode_t found = nullptr;
  REQUIRE(cudaGraphNodeFindInClone(&found, kernel, copy) == cudaSuccess);
  cudaGraphNodeType type{};
  REQUIRE(cudaGraphNodeGetType(found, &type) == cudaSuccess);
  CHECK(type == cudaGraphNodeTypeKernel);
  REQUIRE(cudaGraphDestroyNode(found) == cudaSuccess);
  CHECK(cudaGraphDestroy(copy) == cudaSuccess);
}

}  // namespace

TEST_CASE("a captured graph runs when it is launched, as often as it is", "[graph]") {
  Stream stream;
  int* p = device_ints(8, 1);
  cudaGraph_t graph = capture_two_scales(stream.handle, p, 2, 5);
  CHECK(read_one(p) == 1);
  size_t count = 0;
  REQUIRE(cudaGraphGetNodes(graph, nullptr, &count) == cudaSuccess);
  CHECK(count == 2);
  REQUIRE(cudaGraphGetEdges(graph, nullptr, nullptr, nullptr, &count) == cudaSuccess);
  CHECK(count == 1);
  cudaGraphExec_t exec = nullptr;
  REQUIRE(cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(exec, stream.handle) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(exec, stream.handle) == cudaSuccess);
  CHECK(read_one(p) == 100);
  // Another capture of the same shape updates it; one of another shape does not.
  cudaGraph_t other = capture_two_scales(stream.handle, p, 1, 3);
  cudaGraphExecUpdateResultInfo info{};
  REQUIRE(cudaGraphExecUpdate(exec, other, &info) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(exec, stream.handle) == cudaSuccess);
  CHECK(read_one(p) == 300);
  cudaGraphNode_t extra = nullptr;
  REQUIRE(cudaGraphAddEmptyNode(&extra, other, nullptr, 0) == cudaSuccess);
  CHECK(cudaGraphExecUpdate(exec, other, &info) == cudaErrorGraphExecUpdateFailure);
  CHECK(info.result == cudaGraphExecUpdateErrorTopologyChanged);
  cudaGetLastError();
  CHECK(cudaGraphDestroy(other) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaErrorInvalidValue);
  CHECK(cudaGraphExecDestroy(exec) == cudaSuccess);
  cudaGetLastError();
  cudaFree(p);
}

TEST_CASE("a graph made by hand, changed and copied", "[graph]") {
  RuntimeProgram& program = runtime_program();
  int* p = device_ints(8, 0);
  cudaGraph_t graph = nullptr;
  REQUIRE(cudaGraphCreate(&graph, 0) == cudaSuccess);
  cudaMemsetParams fill{};
  fill.dst = p;
  fill.value = 3;
  fill.elementSize = 4;
  fill.width = 8;
  fill.height = 1;
  cudaGraphNode_t set = nullptr, scale = nullptr, host = nullptr;
  REQUIRE(cudaGraphAddMemsetNode(&set, graph, nullptr, 0, &fill) == cudaSuccess);
  int factor = 7, n = 8, calls = 0;
  void* arguments[] = {&p, &factor, &n};
  cudaKernelNodeParams kernel{};
  kernel.func = &program.scale;
  kernel.gridDim = dim3(1);
  kernel.blockDim = dim3(32);
  kernel.kernelParams = arguments;
  REQUIRE(cudaGraphAddKernelNode(&scale, graph, &set, 1, &kernel) == cudaSuccess);
  const cudaHostNodeParams call{[](void* data) { ++*static_cast<int*>(data); }, &calls};
  REQUIRE(cudaGraphAddHostNode(&host, graph, nullptr, 0, &call) == cudaSuccess);
  REQUIRE(cudaGraphAddDependencies(graph, &scale, &host, nullptr, 1) == cudaSuccess);
  CHECK(cudaGraphAddDependencies(graph, &host, &set, nullptr, 1) == cudaErrorInvalidValue);  // a circle
  cudaGetLastError();
  cudaGraphExec_t exec = nullptr;
  REQUIRE(cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(exec, nullptr) == cudaSuccess);
  REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  CHECK((read_one(p) == 21 && calls == 1));
  factor = 2;
  REQUIRE(cudaGraphExecKernelNodeSetParams(exec, scale, &kernel) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(exec, nullptr) == cudaSuccess);
  CHECK(read_one(p) == 6);
  cudaKernelNodeParams seen{};
  REQUIRE(cudaGraphKernelNodeGetParams(scale, &seen) == cudaSuccess);
  CHECK(seen.func == &program.scale);
  CHECK(*static_cast<int*>(seen.kernelParams[1]) == 7);
  REQUIRE(cudaGraphNodeSetEnabled(exec, scale, 0) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(exec, nullptr) == cudaSuccess);
  CHECK(read_one(p) == 3);
  clone_and_look(graph, scale);
  cudaGraph_t outer = nullptr;
  cudaGraphNode_t child = nullptr;
  REQUIRE(cudaGraphCreate(&outer, 0) == cudaSuccess);
  REQUIRE(cudaGraphAddChildGraphNode(&child, outer, nullptr, 0, graph) == cudaSuccess);
  cudaGraphExec_t outer_exec = nullptr;
  REQUIRE(cudaGraphInstantiate(&outer_exec, outer, 0) == cudaSuccess);
  REQUIRE(cudaGraphLaunch(outer_exec, nullptr) == cudaSuccess);
  CHECK((read_one(p) == 21 && calls == 4));
  for (cudaGraphExec_t one : {exec, outer_exec}) CHECK(cudaGraphExecDestroy(one) == cudaSuccess);
  for (cudaGraph_t one : {outer, graph}) CHECK(cudaGraphDestroy(one) == cudaSuccess);
  cudaFree(p);
}

TEST_CASE("memory nodes", "[graph]") {
  Stream stream;
  int* out = device_ints(8, 0);
  REQUIRE(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeGlobal) == cudaSuccess);
  void* p = nullptr;
  REQUIRE(cudaMallocAsync(&p, 32, stream.handle) == cudaSuccess);
  REQUIRE(cudaMemsetAsync(p, 1, 32, stream.handle) == cudaSuccess);
  REQUIRE(cudaMemcpyAsync(out, p, 32, cudaMemcpyDeviceToDevice, stream.handle) == cudaSuccess);
  REQUIRE(cudaFreeAsync(p, stream.handle) == cudaSuccess);
  cudaGraph_t graph = nullptr;
  REQUIRE(cudaStreamEndCapture(stream.handle, &graph) == cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  REQUIRE(cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess);
  for (int i = 0; i < 2; i++) REQUIRE(cudaGraphLaunch(exec, stream.handle) == cudaSuccess);
  CHECK(read_one(out) == 0x01010101);
  CHECK(cudaGraphExecDestroy(exec) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
  cudaFree(out);
}

TEST_CASE("what capture forbids", "[graph]") {
  Stream stream, side;
  cudaGraph_t graph = nullptr;
  void* p = nullptr;
  const auto begin = [&](cudaStreamCaptureMode mode) {
    REQUIRE(cudaStreamBeginCapture(stream.handle, mode) == cudaSuccess);
  };
  begin(cudaStreamCaptureModeGlobal);
  CHECK(cudaMalloc(&p, 4) == cudaErrorStreamCaptureUnsupported);
  CHECK(cudaStreamEndCapture(stream.handle, &graph) == cudaErrorStreamCaptureInvalidated);
  begin(cudaStreamCaptureModeRelaxed);
  CHECK(cudaMalloc(&p, 4) == cudaSuccess);
  CHECK(cudaMemsetAsync(p, 0, 4, nullptr) == cudaErrorStreamCaptureImplicit);
  CHECK(cudaStreamEndCapture(stream.handle, &graph) == cudaErrorStreamCaptureInvalidated);
  CHECK(cudaFree(p) == cudaSuccess);
  cudaEvent_t event = nullptr;
  REQUIRE(cudaEventCreate(&event) == cudaSuccess);
  REQUIRE(cudaEventRecord(event, side.handle) == cudaSuccess);
  begin(cudaStreamCaptureModeGlobal);
  CHECK(cudaStreamWaitEvent(stream.handle, event, 0) == cudaErrorStreamCaptureIsolation);
  CHECK(cudaStreamEndCapture(stream.handle, &graph) == cudaErrorStreamCaptureInvalidated);
  begin(cudaStreamCaptureModeGlobal);
  REQUIRE(cudaEventRecord(event, stream.handle) == cudaSuccess);
  CHECK(cudaEventQuery(event) == cudaErrorCapturedEvent);
  CHECK(cudaStreamEndCapture(stream.handle, &graph) == cudaErrorStreamCaptureInvalidated);
  begin(cudaStreamCaptureModeGlobal);
  REQUIRE(cudaEventRecord(event, stream.handle) == cudaSuccess);
  REQUIRE(cudaStreamWaitEvent(side.handle, event, 0) == cudaSuccess);
  CHECK(cudaStreamEndCapture(side.handle, &graph) == cudaErrorStreamCaptureUnmatched);
  CHECK(cudaStreamEndCapture(stream.handle, &graph) == cudaErrorStreamCaptureInvalidated);
  CHECK(cudaStreamEndCapture(stream.handle, &graph) == cudaErrorIllegalState);
  CHECK(cudaEventDestroy(event) == cudaSuccess);
  cudaGetLastError();
}

TEST_CASE("clocks and ranges of the stream checker", "[graph]") {
  using namespace vgpu::runtime;
  Clock a, b;
  a.set(3, 5);
  b.set(1, 2);
  b.join(a);
  CHECK((b.at(3) == 5 && b.at(1) == 2 && b.at(7) == 0));
  using Ranges = std::vector<vgpu::Footprint::Range>;
  vgpu::Footprint::Range common{0, 0};
  CHECK_FALSE(first_common(Ranges{{0, 4}, {8, 12}}, Ranges{{4, 8}, {12, 20}}, common));
  REQUIRE(first_common(Ranges{{0, 4}, {8, 12}}, Ranges{{5, 6}, {10, 30}}, common));
  CHECK((common.begin == 10 && common.end == 12));
}

TEST_CASE("a joined stream may be destroyed before its capture ends", "[graph]") {
  int* p = device_ints(8, 1);
  for (const bool come_back : {true, false}) {
    Stream origin;
    cudaStream_t side = nullptr;
    cudaEvent_t fork = nullptr, join = nullptr;
    REQUIRE(cudaStreamCreate(&side) == cudaSuccess);
    REQUIRE(cudaEventCreate(&fork) == cudaSuccess);
    REQUIRE(cudaEventCreate(&join) == cudaSuccess);
    REQUIRE(cudaStreamBeginCapture(origin.handle, cudaStreamCaptureModeGlobal) == cudaSuccess);
    REQUIRE(cudaEventRecord(fork, origin.handle) == cudaSuccess);
    REQUIRE(cudaStreamWaitEvent(side, fork, 0) == cudaSuccess);
    REQUIRE(launch_scale(p, 3, 8, side) == cudaSuccess);
    REQUIRE(cudaEventRecord(join, side) == cudaSuccess);
    if (come_back) REQUIRE(cudaStreamWaitEvent(origin.handle, join, 0) == cudaSuccess);
    REQUIRE(cudaStreamDestroy(side) == cudaSuccess);
    REQUIRE(cudaEventDestroy(fork) == cudaSuccess);
    REQUIRE(cudaEventDestroy(join) == cudaSuccess);
    cudaGraph_t graph = nullptr;
    const cudaError_t error = cudaStreamEndCapture(origin.handle, &graph);
    CHECK(error == (come_back ? cudaSuccess : cudaErrorStreamCaptureUnjoined));
    if (graph == nullptr) continue;
    cudaGraphExec_t exec = nullptr;
    REQUIRE(cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess);
    REQUIRE(cudaGraphLaunch(exec, origin.handle) == cudaSuccess);
    CHECK(read_one(p) == 3);
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
  }
  cudaFree(p);
}
