// The CUDA runtime behind DeviceRuntime: memory, one stream an Exec, graphs by capture.
#include "kernels/base/cuda_launch.h"
#include "kernels/base/cuda_twins.h"
#include "kernels/base/device_runtime.h"
#include "kernels/base/error.h"

namespace kernels {

namespace {

using cuda::check;
using cuda::stream_of;
using cuda::use_device;

cudaEvent_t event_of(void* event) {
  return static_cast<cudaEvent_t>(event);
}

class CudaRuntime final : public DeviceRuntime {
 public:
  void* allocate(int device, size_t bytes) override {
    use_device(device);
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
    use_device(device);
    size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), {"memory info"});
    return free;
  }
  void copy(const Exec& exec, void* to, const void* from, size_t bytes) override {
    if (bytes == 0) return;
    use_device(exec.device);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_of(exec)),
          {"copy", {{"bytes", static_cast<int64_t>(bytes)}}});
  }
  void zero(const Exec& exec, void* to, size_t bytes) override {
    if (bytes == 0) return;
    use_device(exec.device);
    check(cudaMemsetAsync(to, 0, bytes, stream_of(exec)), {"zero", {{"bytes", static_cast<int64_t>(bytes)}}});
  }
  void synchronize(const Exec& exec) override {
    use_device(exec.device);
    check(cudaStreamSynchronize(stream_of(exec)), {cuda::last_kernel()});
  }
  void* create_stream(int device) override {
    use_device(device);
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), {"create stream"});
    return stream;
  }
  void synchronize_device(int device) override {
    use_device(device);
    check(cudaDeviceSynchronize(), {cuda::last_kernel()});
  }
  void destroy_stream(void* stream) override { (void)cudaStreamDestroy(static_cast<cudaStream_t>(stream)); }
  void* create_event(int device) override {
    use_device(device);
    cudaEvent_t event = nullptr;
    check(cudaEventCreate(&event), {"create event"});
    return event;
  }
  void destroy_event(void* event) override { (void)cudaEventDestroy(event_of(event)); }
  void record(const Exec& exec, void* event) override {
    use_device(exec.device);
    check(cudaEventRecord(event_of(event), stream_of(exec)), {"record event"});
  }
  void wait(const Exec& exec, void* event) override {
    use_device(exec.device);
    check(cudaStreamWaitEvent(stream_of(exec), event_of(event)), {"wait for event"});
  }
  double milliseconds(void* from, void* to) override {
    float time = 0;
    check(cudaEventElapsedTime(&time, event_of(from), event_of(to)), {"elapsed time"});
    return time;
  }
  bool begin_recording(const Exec& exec) override {
    if (cuda::blocking()) return false;
    use_device(exec.device);
    check(cudaStreamBeginCapture(stream_of(exec), cudaStreamCaptureModeThreadLocal), {"begin capture"});
    return true;
  }
  void abandon_recording(const Exec& exec) override {
    cudaGraph_t graph = nullptr;
    (void)cudaStreamEndCapture(stream_of(exec), &graph);
    if (graph != nullptr) (void)cudaGraphDestroy(graph);
    (void)cudaGetLastError();
  }
  void* end_recording(const Exec& exec) override {
    use_device(exec.device);
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(stream_of(exec), &graph), {"end capture"});
    cudaGraphExec_t ready = nullptr;
    const cudaError_t error = cudaGraphInstantiate(&ready, graph, 0);
    (void)cudaGraphDestroy(graph);
    check(error, {"instantiate graph"});
    return ready;
  }
  void replay(const Exec& exec, void* recording) override {
    use_device(exec.device);
    cuda::set_last_kernel("recorded step");
    check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(recording), stream_of(exec)), {"launch graph"});
  }
  void destroy_recording(void* recording) override {
    (void)cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(recording));
  }
  RuntimeVersions versions() override {
    RuntimeVersions versions;
    check(cudaRuntimeGetVersion(&versions.runtime), {"runtime version"});
    check(cudaDriverGetVersion(&versions.driver), {"driver version"});
    return versions;
  }
  int device_count() override {
    int count = 0;
    if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
    (void)cudaGetLastError();
    return 0;
  }
  std::string no_device_reason() override {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    (void)cudaGetLastError();
    if (error == cudaSuccess) return "";
    RuntimeVersions v;
    (void)cudaRuntimeGetVersion(&v.runtime);
    (void)cudaDriverGetVersion(&v.driver);
    const std::string driver =
        v.driver == 0 ? "no driver"
                      : fmt::format("a driver for CUDA {}.{}", v.driver / 1000, v.driver % 1000 / 10);
    return fmt::format("{}, {}, built with CUDA {}.{}", cudaGetErrorString(error), driver, v.runtime / 1000,
                       v.runtime % 1000 / 10);
  }
  DeviceInfo device_info(int device) override {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), {"device properties", {{"device", device}}});
    return {.name = properties.name,
            .major = properties.major,
            .minor = properties.minor,
            .processors = properties.multiProcessorCount,
            .memory = properties.totalGlobalMem,
            .l2_cache = static_cast<size_t>(properties.l2CacheSize)};
  }
};

}  // namespace

DeviceRuntime* cuda_device_runtime() {
  static CudaRuntime runtime;
  return &runtime;
}

}  // namespace kernels
