// The host side: streams, events, callbacks, pools, graphs by capture and by hand, attributes and occupancy.
#include <string>

#include "check.h"

namespace {

__global__ void scale(float* p, float factor, int n) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) p[i] *= factor;
}
__global__ void add_to(float* p, const float* q, int n) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) p[i] += q[i];
}
__global__ void __launch_bounds__(128, 2) bounded(float* p) {
  p[threadIdx.x] = 1;
}
__global__ void uses_shared(float* p) {
  __shared__ float values[1024];
  values[threadIdx.x] = p[threadIdx.x];
  __syncthreads();
  p[threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

constexpr int kCount = 500;

std::vector<float> filled(float value) {
  return std::vector<float>(kCount, value);
}

struct Called {
  int order = 0;
  int first = 0, second = 0;
};

}  // namespace

TEST(streams_and_events) {
  cudaStream_t a, b;
  cudaEvent_t ready, done;
  CHECK_CUDA(cudaStreamCreate(&a));
  CHECK_CUDA(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
  CHECK_CUDA(cudaEventCreateWithFlags(&ready, cudaEventDisableTiming));
  CHECK_CUDA(cudaEventCreate(&done));
  float* pinned = nullptr;
  CHECK_CUDA(cudaMallocHost(&pinned, kCount * sizeof(float)));
  for (int i = 0; i < kCount; ++i) pinned[i] = float(i);
  Buffer<float> x(kCount), y(filled(1));
  CHECK_CUDA(cudaMemcpyAsync(x, pinned, kCount * sizeof(float), cudaMemcpyHostToDevice, a));
  scale<<<4, 128, 0, a>>>(x, 2, kCount);
  CHECK_CUDA(cudaEventRecord(ready, a));
  CHECK_CUDA(cudaStreamWaitEvent(b, ready, 0));
  add_to<<<4, 128, 0, b>>>(y, x, kCount);
  CHECK_CUDA(cudaMemcpyAsync(pinned, y, kCount * sizeof(float), cudaMemcpyDeviceToHost, b));
  CHECK_CUDA(cudaEventRecord(done, b));
  CHECK_CUDA(cudaEventSynchronize(done));
  EXPECT(pinned[7] == 15 && pinned[499] == 999);
  CHECK_CUDA(cudaEventQuery(done));
  CHECK_CUDA(cudaStreamQuery(b));
  cudaEvent_t start, stop;
  CHECK_CUDA(cudaEventCreate(&start));
  CHECK_CUDA(cudaEventCreate(&stop));
  CHECK_CUDA(cudaEventRecord(start, a));
  scale<<<4, 128, 0, a>>>(x, 2, kCount);
  CHECK_CUDA(cudaEventRecord(stop, a));
  CHECK_CUDA(cudaStreamSynchronize(a));
  float milliseconds = -1;
  CHECK_CUDA(cudaEventElapsedTime(&milliseconds, start, stop));
  EXPECT(milliseconds >= 0 && milliseconds < 10000);
  for (cudaEvent_t event : {ready, done, start, stop}) CHECK_CUDA(cudaEventDestroy(event));
  CHECK_CUDA(cudaStreamDestroy(a));
  CHECK_CUDA(cudaStreamDestroy(b));
  CHECK_CUDA(cudaFreeHost(pinned));
}

TEST(priorities_and_callbacks) {
  int least = -1, greatest = 1;
  CHECK_CUDA(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  EXPECT(least >= greatest);
  cudaStream_t stream;
  CHECK_CUDA(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest));
  Called called;
  Buffer<float> x(filled(3));
  CHECK_CUDA(cudaDeviceSynchronize());
  scale<<<4, 128, 0, stream>>>(x, 2, kCount);
  CHECK_CUDA(cudaLaunchHostFunc(
      stream, [](void* data) { static_cast<Called*>(data)->first = ++static_cast<Called*>(data)->order; },
      &called));
  CHECK_CUDA(cudaStreamAddCallback(
      stream,
      [](cudaStream_t, cudaError_t status, void* data) {
        if (status == cudaSuccess) static_cast<Called*>(data)->second = ++static_cast<Called*>(data)->order;
      },
      &called, 0));
  CHECK_CUDA(cudaStreamSynchronize(stream));
  EXPECT(called.first == 1 && called.second == 2);
  CHECK_CUDA(cudaStreamDestroy(stream));
}

TEST(allocation_in_order) {
  cudaStream_t stream;
  CHECK_CUDA(cudaStreamCreate(&stream));
  cudaMemPool_t pool;
  CHECK_CUDA(cudaDeviceGetDefaultMemPool(&pool, 0));
  uint64_t threshold = ~0ull;
  CHECK_CUDA(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold));
  std::vector<float> host(kCount);
  for (int round = 0; round < 3; ++round) {
    float* p = nullptr;
    CHECK_CUDA(cudaMallocAsync(&p, kCount * sizeof(float), stream));
    CHECK_CUDA(cudaMemsetAsync(p, 0, kCount * sizeof(float), stream));
    Buffer<float> q(filled(float(round)));
    add_to<<<4, 128, 0, stream>>>(p, q, kCount);
    CHECK_CUDA(cudaMemcpyAsync(host.data(), p, kCount * sizeof(float), cudaMemcpyDeviceToHost, stream));
    CHECK_CUDA(cudaFreeAsync(p, stream));
    CHECK_CUDA(cudaStreamSynchronize(stream));
    EXPECT(host[0] == float(round) && host[kCount - 1] == float(round));
  }
  CHECK_CUDA(cudaMemPoolTrimTo(pool, 0));
  CHECK_CUDA(cudaStreamDestroy(stream));
}

TEST(captured_graph) {
  cudaStream_t stream, side;
  cudaEvent_t fork, join;
  CHECK_CUDA(cudaStreamCreate(&stream));
  CHECK_CUDA(cudaStreamCreate(&side));
  CHECK_CUDA(cudaEventCreate(&fork));
  CHECK_CUDA(cudaEventCreate(&join));
  Buffer<float> x(filled(1)), y(filled(1));
  CHECK_CUDA(cudaDeviceSynchronize());
  CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  scale<<<4, 128, 0, stream>>>(x, 2, kCount);
  CHECK_CUDA(cudaEventRecord(fork, stream));
  CHECK_CUDA(cudaStreamWaitEvent(side, fork, 0));
  scale<<<4, 128, 0, side>>>(y, 3, kCount);
  CHECK_CUDA(cudaEventRecord(join, side));
  CHECK_CUDA(cudaStreamWaitEvent(stream, join, 0));
  add_to<<<4, 128, 0, stream>>>(x, y, kCount);
  cudaStreamCaptureStatus status;
  CHECK_CUDA(cudaStreamIsCapturing(stream, &status));
  EXPECT(status == cudaStreamCaptureStatusActive);
  cudaGraph_t graph;
  CHECK_CUDA(cudaStreamEndCapture(stream, &graph));
  EXPECT(x.host()[0] == 1);  // capture runs nothing
  size_t nodes = 0;
  CHECK_CUDA(cudaGraphGetNodes(graph, nullptr, &nodes));
  EXPECT(nodes == 3);
  cudaGraphExec_t runnable;
  CHECK_CUDA(cudaGraphInstantiate(&runnable, graph, 0));
  for (int i = 0; i < 3; ++i) CHECK_CUDA(cudaGraphLaunch(runnable, stream));
  CHECK_CUDA(cudaStreamSynchronize(stream));
  EXPECT(x.host()[kCount - 1] == ((1 * 2 + 3) * 2 + 9) * 2 + 27 && y.host()[0] == 27);
  CHECK_CUDA(cudaGraphExecDestroy(runnable));
  CHECK_CUDA(cudaGraphDestroy(graph));
  CHECK_CUDA(cudaEventDestroy(fork));
  CHECK_CUDA(cudaEventDestroy(join));
  CHECK_CUDA(cudaStreamDestroy(side));
  CHECK_CUDA(cudaStreamDestroy(stream));
}

TEST(explicit_graph) {
  Buffer<float> x(kCount), y(kCount);
  std::vector<float> in = filled(4), out(kCount);
  float *px = x, *py = y, factor = 2;
  int n = kCount;
  cudaGraph_t graph;
  CHECK_CUDA(cudaGraphCreate(&graph, 0));
  cudaGraphNode_t upload, clear, kernel, sum, download;
  CHECK_CUDA(cudaGraphAddMemcpyNode1D(&upload, graph, nullptr, 0, px, in.data(), kCount * 4,
                                      cudaMemcpyHostToDevice));
  cudaMemsetParams fill{};
  fill.dst = py, fill.value = 0, fill.elementSize = 4, fill.width = kCount, fill.height = 1;
  CHECK_CUDA(cudaGraphAddMemsetNode(&clear, graph, nullptr, 0, &fill));
  void* scale_arguments[] = {&px, &factor, &n};
  cudaKernelNodeParams launch{};
  launch.func = reinterpret_cast<void*>(scale);
  launch.gridDim = dim3(4), launch.blockDim = dim3(128), launch.kernelParams = scale_arguments;
  CHECK_CUDA(cudaGraphAddKernelNode(&kernel, graph, &upload, 1, &launch));
  void* add_arguments[] = {&py, &px, &n};
  cudaKernelNodeParams add{};
  add.func = reinterpret_cast<void*>(add_to);
  add.gridDim = dim3(4), add.blockDim = dim3(128), add.kernelParams = add_arguments;
  cudaGraphNode_t before[] = {clear, kernel};
  CHECK_CUDA(cudaGraphAddKernelNode(&sum, graph, before, 2, &add));
  CHECK_CUDA(cudaGraphAddMemcpyNode1D(&download, graph, &sum, 1, out.data(), py, kCount * 4,
                                      cudaMemcpyDeviceToHost));
  cudaGraphExec_t runnable;
  CHECK_CUDA(cudaGraphInstantiate(&runnable, graph, 0));
  factor = 100;  // parameters were copied when the node was made
  CHECK_CUDA(cudaGraphLaunch(runnable, nullptr));
  CHECK_CUDA(cudaDeviceSynchronize());
  EXPECT(out[0] == 8 && out[kCount - 1] == 8);
  factor = 5;
  CHECK_CUDA(cudaGraphExecKernelNodeSetParams(runnable, kernel, &launch));
  CHECK_CUDA(cudaGraphLaunch(runnable, nullptr));
  CHECK_CUDA(cudaDeviceSynchronize());
  EXPECT(out[3] == 20);
  factor = 7;
  CHECK_CUDA(cudaGraphKernelNodeSetParams(kernel, &launch));
  cudaGraphExecUpdateResultInfo result;
  CHECK_CUDA(cudaGraphExecUpdate(runnable, graph, &result));
  EXPECT(result.result == cudaGraphExecUpdateSuccess);
  CHECK_CUDA(cudaGraphLaunch(runnable, nullptr));
  CHECK_CUDA(cudaDeviceSynchronize());
  EXPECT(out[9] == 28);
  CHECK_CUDA(cudaGraphExecDestroy(runnable));
  CHECK_CUDA(cudaGraphDestroy(graph));
}

TEST(launch_with_attributes) {
  Buffer<float> x(filled(2));
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(4), config.blockDim = dim3(128);
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributePriority;
  config.attrs = &attribute, config.numAttrs = 1;
  CHECK_CUDA(cudaLaunchKernelEx(&config, scale, +x, 3.f, kCount));
  check_launch();
  EXPECT(x.host()[100] == 6);
}

TEST(attributes_and_occupancy) {
  cudaFuncAttributes attributes;
  CHECK_CUDA(cudaFuncGetAttributes(&attributes, uses_shared));
  EXPECT(attributes.sharedSizeBytes == 4096 && attributes.maxThreadsPerBlock == 1024 &&
         attributes.numRegs > 0);
  CHECK_CUDA(cudaFuncGetAttributes(&attributes, bounded));
  EXPECT(attributes.maxThreadsPerBlock == 128 && attributes.sharedSizeBytes == 0);
  int blocks = 0, per_sm = 0;
  CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, uses_shared, 256, 20000));
  CHECK_CUDA(cudaDeviceGetAttribute(&per_sm, cudaDevAttrMaxSharedMemoryPerMultiprocessor, 0));
  EXPECT(blocks >= 1 && blocks <= per_sm / 24096 && blocks <= 8);
  int grid = 0, block = 0;
  CHECK_CUDA(cudaOccupancyMaxPotentialBlockSize(&grid, &block, scale));
  EXPECT(grid >= 1 && block >= 32 && block <= 1024 && block % 32 == 0);
  cudaDeviceProp properties;
  CHECK_CUDA(cudaGetDeviceProperties(&properties, 0));
  EXPECT(properties.warpSize == 32 && properties.maxThreadsPerBlock == 1024 && properties.name[0] != 0);
  EXPECT(properties.major * 10 + properties.minor == capability() && properties.sharedMemPerBlock == 49152);
  EXPECT(properties.multiProcessorCount > 0 && properties.totalGlobalMem > (1u << 20));
  size_t free_bytes = 0, total = 0;
  CHECK_CUDA(cudaMemGetInfo(&free_bytes, &total));
  EXPECT(free_bytes > 0 && free_bytes <= total);
  int driver = 0, runtime = 0, count = 0, device = -1;
  CHECK_CUDA(cudaDriverGetVersion(&driver));
  CHECK_CUDA(cudaRuntimeGetVersion(&runtime));
  CHECK_CUDA(cudaGetDeviceCount(&count));
  CHECK_CUDA(cudaGetDevice(&device));
  EXPECT(driver >= 13000 && runtime / 1000 == 13 && count >= 1 && device == 0);
  EXPECT(std::string(cudaGetErrorName(cudaErrorMemoryAllocation)) == "cudaErrorMemoryAllocation");
  EXPECT(std::string(cudaGetErrorString(cudaErrorMemoryAllocation)) == "out of memory");
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
