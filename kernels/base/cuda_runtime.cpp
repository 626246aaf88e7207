// The CUDA runtime behind DeviceRuntime: memory, one stream an Exec, graphs by capture.
#include "kernels/base/cuda_launch.h"
#include "kernels/base/cuda_twins.h"
#include "kernels/base/device_runtime.h"
#include "kernels/base/error.h"

namespace kernels {

namespace {

using cuda::check;
using cuda::stream_of;

class CudaRuntime final : public DeviceRuntime {
 public:
  void* allocate(int device, size_t bytes) override {
    check(cudaSetDevice(device), {"set device", {{"device", device}}});
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, bytes);
    if (error == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      throw Error(ExitCode::DeviceUnavailable, {.where = fmt::format("CUDA device {}", device),
                                                .what = "not enough device memory",
                                                .expected = fmt::format("{} MiB", bytes >> 20),
                                                .got = fmt::format("{} MiB free", free_memory(device) >> 20),
                                                .hint = "use a smaller --batch, data.input or model.width"});
    }
    check(error, {"allocate", {{"bytes", static_cast<int64_t>(bytes)}}});
    return memory;
  }
  void release(int, void* memory) override { (void)cudaFree(memory); }
  void* allocate_staging(size_t bytes) override {
    void* memory = nullptr;
    check(cudaMallocHost(&memory, bytes), {"allocate pinned", {{"bytes", static_cast<int64_t>(bytes)}}});
    return memory;
  }
  void release_staging(void* memory) override { (void)cudaFreeHost(memory); }
  size_t free_memory(int device) override {
    check(cudaSetDevice(device), {"set device", {{"device", device}}});
    size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), {"memory info"});
    return free;
  }
  void copy(const Exec& exec, void* to, const void* from, size_t bytes) override {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_of(exec)),
          {"copy", {{"bytes", static_cast<int64_t>(bytes)}}});
  }
  void zero(const Exec& exec, void* to, size_t bytes) override {
    check(cudaMemsetAsync(to, 0, bytes, stream_of(exec)), {"zero", {{"bytes", static_cast<int64_t>(bytes)}}});
  }
  void synchronize(const Exec& exec) override {
    check(cudaStreamSynchronize(stream_of(exec)), {cuda::last_kernel()});
  }
  void* create_stream(int device) override {
    check(cudaSetDevice(device), {"set device", {{"device", device}}});
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), {"create stream"});
    return stream;
  }
  void destroy_stream(void* stream) override { (void)cudaStreamDestroy(static_cast<cudaStream_t>(stream)); }
  bool begin_recording(const Exec& exec) override {
    check(cudaStreamBeginCapture(stream_of(exec), cudaStreamCaptureModeThreadLocal), {"begin capture"});
    return true;
  }
  void* end_recording(const Exec& exec) override {
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(stream_of(exec), &graph), {"end capture"});
    cudaGraphExec_t ready = nullptr;
    const cudaError_t error = cudaGraphInstantiate(&ready, graph, 0);
    (void)cudaGraphDestroy(graph);
    check(error, {"instantiate graph"});
    return ready;
  }
  void replay(const Exec& exec, void* recording) override {
    check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(recording), stream_of(exec)), {"launch graph"});
  }
  void destroy_recording(void* recording) override {
    (void)cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(recording));
  }
  int device_count() override {
    int count = 0;
    if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
    (void)cudaGetLastError();
    return 0;
  }
  std::string device_name(int device) override {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), {"device properties", {{"device", device}}});
    return properties.name;
  }
};

}  // namespace

DeviceRuntime* cuda_device_runtime() {
  static CudaRuntime runtime;
  return &runtime;
}

}  // namespace kernels
