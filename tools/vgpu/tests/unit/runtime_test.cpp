// The runtime's C interface, called as programs call it: memory, launches, errors, symbols, streams and
// events.
#include <cstring>
#include <string>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/runtime_fixture.h"

using namespace vgpu::test;

namespace {

struct DeviceInts {
  int* p = nullptr;
  size_t count;
  explicit DeviceInts(std::vector<int> values) : count(values.size()) {
    REQUIRE(cudaMalloc(reinterpret_cast<void**>(&p), bytes()) == cudaSuccess);
    REQUIRE(cudaMemcpy(p, values.data(), bytes(), cudaMemcpyHostToDevice) == cudaSuccess);
  }
  ~DeviceInts() { cudaFree(p); }
  DeviceInts(const DeviceInts&) = delete;
  DeviceInts& operator=(const DeviceInts&) = delete;
  size_t bytes() const { return count * sizeof(int); }
  std::vector<int> host() const {
    std::vector<int> values(count);
    REQUIRE(cudaMemcpy(values.data(), p, bytes(), cudaMemcpyDeviceToHost) == cudaSuccess);
    return values;
  }
};

struct FreshDevice {  // for tests that poison the context
  ~FreshDevice() { cudaDeviceReset(); }
};

}  // namespace

TEST_CASE("the launch path of CUDA 13", "[runtime]") {
  RuntimeProgram& program = runtime_program();
  DeviceInts data({1, 2, 3, 4});
  cudaKernel_t kernel = nullptr;
  REQUIRE(__cudaGetKernel(&kernel, &program.scale) == cudaSuccess);
  REQUIRE(__cudaPushCallConfiguration(dim3(1), dim3(32), 0, nullptr) == 0);
  dim3 grid, block;
  size_t shared = 1;
  cudaStream_t stream = cudaStreamPerThread;
  REQUIRE(__cudaPopCallConfiguration(&grid, &block, &shared, &stream) == cudaSuccess);
  CHECK((grid.x == 1 && block.x == 32 && shared == 0 && stream == nullptr));
  int factor = 3, n = 4;
  void* arguments[] = {&data.p, &factor, &n};
  REQUIRE(__cudaLaunchKernel(kernel, grid, block, arguments, shared, stream) == cudaSuccess);
  CHECK(data.host() == std::vector<int>{3, 6, 9, 12});
  CHECK(__cudaPopCallConfiguration(&grid, &block, &shared, &stream) == cudaErrorMissingConfiguration);
  CHECK(cudaGetLastError() == cudaErrorMissingConfiguration);
}

TEST_CASE("launch parameters are checked as a driver does", "[runtime]") {
  RuntimeProgram& program = runtime_program();
  const auto launch = [&](const void* function, dim3 grid, dim3 block, size_t shared) {
    const cudaError_t error = cudaLaunchKernel(function, grid, block, nullptr, shared, nullptr);
    CHECK(cudaGetLastError() == error);
    return error;
  };
  CHECK(launch(&program.bounded, 0, 1, 0) == cudaErrorInvalidConfiguration);
  CHECK(launch(&program.bounded, 1, dim3(32, 0), 0) == cudaErrorInvalidConfiguration);
  CHECK(launch(&program.bounded, dim3(1, 65536), 1, 0) == cudaErrorInvalidConfiguration);
  CHECK(launch(&program.big, 1, 1025, 0) == cudaErrorInvalidConfiguration);
  CHECK(launch(&program.big, 1, dim3(1, 1, 65), 0) == cudaErrorInvalidConfiguration);
  CHECK(launch(&program.bounded, 1, 65, 0) == cudaErrorInvalidValue);
  CHECK(launch(&program.bounded, 1, 64, 0) == cudaSuccess);
  static char unknown = 0;
  CHECK(launch(&unknown, 1, 1, 0) == cudaErrorInvalidDeviceFunction);
  constexpr size_t kLeft = 49152 - 4096;
  CHECK(launch(&program.big, 1, 1, kLeft) == cudaSuccess);
  CHECK(launch(&program.big, 1, 1, kLeft + 4) == cudaErrorInvalidValue);
  CHECK(cudaFuncSetAttribute(&program.big, cudaFuncAttributeMaxDynamicSharedMemorySize, 60000) ==
        cudaSuccess);
  CHECK(launch(&program.big, 1, 1, 60000) == cudaSuccess);
  CHECK(cudaFuncSetAttribute(&program.big, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 20) ==
        cudaErrorInvalidValue);
  cudaGetLastError();
  CHECK(cudaLaunchCooperativeKernel(&program.bounded, dim3(100000), dim3(64), nullptr, 0, nullptr) ==
        cudaErrorCooperativeLaunchTooLarge);
  cudaGetLastError();
}

TEST_CASE("function attributes", "[runtime]") {
  RuntimeProgram& program = runtime_program();
  cudaFuncAttributes attributes;
  REQUIRE(cudaFuncGetAttributes(&attributes, &program.bounded) == cudaSuccess);
  CHECK(attributes.maxThreadsPerBlock == 64);
  CHECK(attributes.ptxVersion == 80);
  REQUIRE(cudaFuncGetAttributes(&attributes, &program.big) == cudaSuccess);
  CHECK(attributes.sharedSizeBytes == 4096);
  const char* name = nullptr;
  REQUIRE(cudaFuncGetName(&name, &program.scale) == cudaSuccess);
  CHECK(std::string(name) == "scale");
  size_t offset = 0, size = 0;
  REQUIRE(cudaFuncGetParamInfo(&program.scale, 2, &offset, &size) == cudaSuccess);
  CHECK((offset == 12 && size == 4));
  CHECK(cudaFuncGetParamInfo(&program.scale, 3, &offset, &size) == cudaErrorInvalidValue);
  cudaGetLastError();
}

TEST_CASE("a kernel's fault stays until the device is reset", "[runtime]") {
  FreshDevice fresh;
  RuntimeProgram& program = runtime_program();
  int value = 9;
  REQUIRE(cudaMemcpyToSymbol(&program.counter, &value, 4, 0, cudaMemcpyHostToDevice) == cudaSuccess);
  uint64_t nowhere = 16;
  void* arguments[] = {&nowhere};
  CHECK(cudaLaunchKernel(&program.store_at, 1, 1, arguments, 0, nullptr) == cudaSuccess);
  CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
  void* p = nullptr;
  CHECK(cudaMalloc(&p, 4) == cudaErrorIllegalAddress);
  CHECK(cudaGetLastError() == cudaErrorIllegalAddress);
  CHECK(cudaGetLastError() == cudaErrorIllegalAddress);
  REQUIRE(cudaDeviceReset() == cudaSuccess);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(cudaMalloc(&p, 4) == cudaSuccess);
  REQUIRE(cudaMemcpyFromSymbol(&value, &program.counter, 4, 0, cudaMemcpyDeviceToHost) == cudaSuccess);
  CHECK(value == 7);  // its initial value again
}

TEST_CASE("errors of calls are kept once", "[runtime]") {
  CHECK(cudaMalloc(nullptr, 4) == cudaErrorInvalidValue);
  CHECK(cudaPeekAtLastError() == cudaErrorInvalidValue);
  CHECK(cudaGetLastError() == cudaErrorInvalidValue);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(std::string(cudaGetErrorName(cudaErrorIllegalAddress)) == "cudaErrorIllegalAddress");
  CHECK(std::string(cudaGetErrorString(cudaSuccess)) == "no error");
  CHECK(std::string(cudaGetErrorName(static_cast<cudaError_t>(12345))) == "unrecognized error code");
}

TEST_CASE("copies are checked against the allocations", "[runtime]") {
  DeviceInts data({1, 2, 3, 4});
  std::vector<int> host(8);
  CHECK(cudaMemcpy(data.p, host.data(), 20, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(data.p + 1, host.data(), 16, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(host.data(), host.data() + 4, 16, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(host.data(), data.p, 16, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(host.data(), data.p, 16, static_cast<cudaMemcpyKind>(7)) ==
        cudaErrorInvalidMemcpyDirection);
  CHECK(cudaMemcpy(host.data(), nullptr, 16, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(host.data(), data.p, 16, cudaMemcpyDefault) == cudaSuccess);
  CHECK(host[3] == 4);
  CHECK(cudaMemset(data.p, 0, 17) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy2D(host.data(), 4, data.p, 8, 8, 2, cudaMemcpyDeviceToHost) == cudaErrorInvalidPitchValue);
  CHECK(cudaMemcpy2D(host.data(), 4, data.p, 8, 4, 2, cudaMemcpyDeviceToHost) == cudaSuccess);
  CHECK((host[0] == 1 && host[1] == 3));
  cudaGetLastError();
}

TEST_CASE("three-dimensional copies", "[runtime]") {
  cudaPitchedPtr box{};
  REQUIRE(cudaMalloc3D(&box, {8, 3, 2}) == cudaSuccess);
  std::vector<int> in(12), out(12, -1);
  for (int i = 0; i < 12; i++) in[static_cast<size_t>(i)] = i;
  cudaMemcpy3DParms parameters{};
  parameters.srcPtr = {in.data(), 8, 2, 3};
  parameters.dstPtr = box;
  parameters.extent = {8, 3, 2};
  parameters.kind = cudaMemcpyHostToDevice;
  REQUIRE(cudaMemcpy3D(&parameters) == cudaSuccess);
  parameters.srcPtr = box;
  parameters.srcPos = {4, 1, 1};
  parameters.dstPtr = {out.data(), 4, 1, 2};
  parameters.extent = {4, 2, 1};
  parameters.kind = cudaMemcpyDeviceToHost;
  REQUIRE(cudaMemcpy3D(&parameters) == cudaSuccess);
  CHECK((out[0] == 9 && out[1] == 11 && out[2] == -1));
  CHECK(cudaFree(box.ptr) == cudaSuccess);
}

TEST_CASE("what pointers are", "[runtime]") {
  void *device = nullptr, *pinned = nullptr, *managed = nullptr;
  REQUIRE(cudaMalloc(&device, 100) == cudaSuccess);
  REQUIRE(cudaHostAlloc(&pinned, 100, cudaHostAllocMapped) == cudaSuccess);
  REQUIRE(cudaMallocManaged(&managed, 100, cudaMemAttachGlobal) == cudaSuccess);
  std::vector<char> plain(100);
  const auto type = [](const void* p) {
    cudaPointerAttributes attributes;
    REQUIRE(cudaPointerGetAttributes(&attributes, p) == cudaSuccess);
    return attributes.type;
  };
  CHECK(type(device) == cudaMemoryTypeDevice);
  CHECK(type(static_cast<char*>(pinned) + 99) == cudaMemoryTypeHost);
  CHECK(type(managed) == cudaMemoryTypeManaged);
  CHECK(type(plain.data()) == cudaMemoryTypeUnregistered);
  unsigned flags = 0;
  CHECK(cudaHostGetFlags(&flags, pinned) == cudaSuccess);
  CHECK(flags == cudaHostAllocMapped);
  CHECK(cudaFree(pinned) == cudaErrorInvalidValue);
  CHECK(cudaFreeHost(pinned) == cudaSuccess);
  CHECK(cudaFree(managed) == cudaSuccess);
  CHECK(cudaFree(device) == cudaSuccess);
  CHECK(cudaFree(device) == cudaErrorInvalidValue);
  CHECK(type(device) == cudaMemoryTypeUnregistered);
  cudaGetLastError();
}

TEST_CASE("symbols", "[runtime]") {
  RuntimeProgram& program = runtime_program();
  const int values[4] = {1, 2, 3, 4};
  int back[4] = {};
  REQUIRE(cudaMemcpyToSymbol(&program.table, values, 16, 0, cudaMemcpyHostToDevice) == cudaSuccess);
  REQUIRE(cudaMemcpyFromSymbol(back, &program.table, 8, 8, cudaMemcpyDeviceToHost) == cudaSuccess);
  CHECK((back[0] == 3 && back[1] == 4));
  CHECK(cudaMemcpyToSymbol(&program.table, values, 16, 4, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpyToSymbol(&program, values, 4, 0, cudaMemcpyHostToDevice) == cudaErrorInvalidSymbol);
  size_t size = 0;
  CHECK(cudaGetSymbolSize(&size, &program.table) == cudaSuccess);
  CHECK(size == 16);
  CHECK(__cudaInitModule(program.handle) == 1);
  REQUIRE(program.managed != nullptr);
  CHECK(*program.managed == 5);
  REQUIRE(launch_scale(program.managed, 4, 1, nullptr) == cudaSuccess);
  REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  CHECK(*program.managed == 20);
  cudaGetLastError();
}

TEST_CASE("memory pools count", "[runtime]") {
  cudaMemPool_t pool = nullptr;
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, 0};
  REQUIRE(cudaMemPoolCreate(&pool, &properties) == cudaSuccess);
  void* p = nullptr;
  REQUIRE(cudaMallocFromPoolAsync(&p, 1000, pool, nullptr) == cudaSuccess);
  uint64_t used = 0;
  REQUIRE(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used) == cudaSuccess);
  CHECK(used == 1000);
  CHECK(cudaFreeAsync(p, nullptr) == cudaSuccess);
  CHECK(cudaFreeAsync(p, nullptr) == cudaErrorInvalidValue);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  REQUIRE(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used) == cudaSuccess);
  CHECK(used == 0);
  CHECK(cudaFreeAsync(p, nullptr) == cudaErrorInvalidValue);
  CHECK(cudaMemPoolDestroy(pool) == cudaSuccess);
  CHECK(cudaMemPoolTrimTo(pool, 0) == cudaErrorInvalidValue);
  cudaGetLastError();
}

TEST_CASE("handles are checked", "[runtime]") {
  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
  CHECK(cudaStreamQuery(stream) == cudaSuccess);
  CHECK(cudaStreamDestroy(stream) == cudaSuccess);
  CHECK(cudaStreamSynchronize(stream) == cudaErrorInvalidResourceHandle);
  CHECK(cudaStreamCreateWithFlags(&stream, 64) == cudaErrorInvalidValue);
  cudaEvent_t start = nullptr, end = nullptr;
  REQUIRE(cudaEventCreate(&start) == cudaSuccess);
  REQUIRE(cudaEventCreateWithFlags(&end, cudaEventDisableTiming) == cudaSuccess);
  float milliseconds = 0;
  REQUIRE(cudaEventRecord(start, nullptr) == cudaSuccess);
  REQUIRE(cudaEventRecord(end, nullptr) == cudaSuccess);
  REQUIRE(cudaEventSynchronize(end) == cudaSuccess);
  CHECK(cudaEventElapsedTime(&milliseconds, start, end) == cudaErrorInvalidResourceHandle);
  CHECK(cudaEventElapsedTime(&milliseconds, start, start) == cudaSuccess);
  CHECK(cudaEventDestroy(start) == cudaSuccess);
  CHECK(cudaEventDestroy(start) == cudaErrorInvalidResourceHandle);
  CHECK(cudaEventDestroy(end) == cudaSuccess);
  CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);
  cudaGetLastError();
}

TEST_CASE("host functions may not call the runtime", "[runtime]") {
  cudaError_t inside = cudaSuccess;
  const cudaHostFn_t function = [](void* data) {
    void* p = nullptr;
    *static_cast<cudaError_t*>(data) = cudaMalloc(&p, 4);
  };
  REQUIRE(cudaLaunchHostFunc(nullptr, function, &inside) == cudaSuccess);
  REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  CHECK(inside == cudaErrorNotPermitted);
  cudaGetLastError();
}

TEST_CASE("images that do not fit or cannot be read", "[runtime]") {
  static char newer = 0, broken = 0;
  register_text(".version 9.0\n.target sm_130\n.address_size 64\n.visible .entry only() { ret; }\n", 999,
                &newer);
  register_text(".version 9.0\n.target sm_80\n.address_size 64\n.visible .entry only( { ret; }\n", 75,
                &broken);
  cudaFuncAttributes attributes;
  CHECK(cudaFuncGetAttributes(&attributes, &newer) == cudaErrorNoKernelImageForDevice);
  CHECK(cudaLaunchKernel(&newer, 1, 1, nullptr, 0, nullptr) == cudaErrorNoKernelImageForDevice);
  CHECK(cudaFuncGetAttributes(&attributes, &broken) == cudaErrorInvalidPtx);
  cudaGetLastError();
}
