// The errors a driver reports, each in a process of its own because most of them end the device's context.
//
// A child runs one case; faults must stay: every later call repeats them.
#include <sys/wait.h>
#include <unistd.h>

#include <cassert>

#include "check.h"

namespace {

__global__ void nothing() {}
__global__ void store(int* p, long long offset) {
  *reinterpret_cast<int*>(reinterpret_cast<char*>(p) + offset) = int(threadIdx.x);
}
__global__ void assert_small(int limit) {
  assert(int(threadIdx.x) < limit);
}
__global__ void trap_at(int thread) {
  if (int(threadIdx.x) == thread) asm volatile("trap;");
}
#if __CUDA_ARCH__ >= 900
#define PAIRS __cluster_dims__(2, 1, 1)
#define SINGLES __cluster_dims__(1, 1, 1)
#else
#define PAIRS
#define SINGLES
#endif
__global__ void PAIRS paired() {}
__global__ void SINGLES single() {}
// A video instruction: PTX has it, the virtual GPU has not.
__global__ void video_add(int from) {
  int a = int(threadIdx.x), sum;
  if (a >= from) return;
  asm volatile("vadd.s32.s32.s32 %0, %1, %1;" : "=r"(sum) : "r"(a));
  if (sum != 2 * a) asm volatile("trap;");
}
using Function = void (*)(int*);
__global__ void jump_nowhere(const Function* f) {
  (*f)(nullptr);
}
__global__ void big_shared(int* out) {
  extern __shared__ int shared[];
  shared[threadIdx.x] = 1;
  out[threadIdx.x] = shared[threadIdx.x];
}

void expect_sticky(int error) {
  int* p = nullptr;
  EXPECT_ERROR(error, cudaDeviceSynchronize());
  EXPECT_ERROR(error, cudaDeviceSynchronize());
  EXPECT_ERROR(error, cudaGetLastError());
  EXPECT_ERROR(error, cudaMalloc(&p, 4));
  nothing<<<1, 1>>>();
  EXPECT_ERROR(error, cudaGetLastError());
}

void invalid_value() {
  EXPECT_ERROR(1, cudaMalloc(nullptr, 4));
  EXPECT_ERROR(1, cudaPeekAtLastError());
  EXPECT_ERROR(1, cudaGetLastError());
  EXPECT_ERROR(0, cudaGetLastError());  // not sticky
  int on_host = 0;
  EXPECT_ERROR(1, cudaFree(&on_host));
  int* p = nullptr;
  CHECK_CUDA(cudaMalloc(&p, 400));
  EXPECT_ERROR(1, cudaMemcpy(p, &on_host, size_t{1} << 32, cudaMemcpyDeviceToDevice));
  EXPECT_ERROR(1, cudaFuncSetAttribute(big_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 20));
  big_shared<<<1, 32, 60000>>>(p);  // more than 48 KiB without having asked for it
  EXPECT_ERROR(1, cudaGetLastError());
  CHECK_CUDA(cudaFree(p));
  CHECK_CUDA(cudaFree(nullptr));
}
void out_of_memory() {
  int* p = nullptr;
  EXPECT_ERROR(2, cudaMalloc(&p, size_t{1} << 50));
  EXPECT_ERROR(2, cudaGetLastError());
  CHECK_CUDA(cudaMalloc(&p, 4));
}
void invalid_configuration() {
  nothing<<<1, 2048>>>();
  EXPECT_ERROR(9, cudaGetLastError());
  nothing<<<0, 32>>>();
  EXPECT_ERROR(9, cudaGetLastError());
  nothing<<<dim3(1, 70000), 32>>>();
  EXPECT_ERROR(9, cudaGetLastError());
  nothing<<<1, dim3(1, 1, 128)>>>();
  EXPECT_ERROR(9, cudaGetLastError());
  nothing<<<1, 32>>>();
  check_launch();
}
void invalid_symbol() {
  static int ordinary = 0;
  int value = 1;
  EXPECT_ERROR(13, cudaMemcpyToSymbol(ordinary, &value, sizeof value));
}
void invalid_function() {
  static int ordinary = 0;
  void* arguments[] = {nullptr};
  EXPECT_ERROR(98, cudaLaunchKernel(&ordinary, dim3(1), dim3(1), arguments, 0, nullptr));
  cudaFuncAttributes attributes;
  EXPECT_ERROR(98, cudaFuncGetAttributes(&attributes, static_cast<const void*>(&ordinary)));
}
void invalid_device() {
  EXPECT_ERROR(101, cudaSetDevice(99));
  CHECK_CUDA(cudaSetDevice(0));
}
void invalid_handle() {
  cudaEvent_t a, b;
  CHECK_CUDA(cudaEventCreate(&a));
  CHECK_CUDA(cudaEventCreate(&b));
  float ms;
  EXPECT_ERROR(400, cudaEventElapsedTime(&ms, a, b));
  EXPECT_ERROR(400, cudaEventRecord(nullptr, nullptr));
}
void registered_twice() {
  std::vector<char> memory(10000);
  CHECK_CUDA(cudaHostRegister(memory.data(), memory.size(), 0));
  EXPECT_ERROR(712, cudaHostRegister(memory.data(), memory.size(), 0));
  CHECK_CUDA(cudaHostUnregister(memory.data()));
  EXPECT_ERROR(713, cudaHostUnregister(memory.data()));
}
void illegal_address() {
  store<<<1, 32>>>(nullptr, 0);
  expect_sticky(700);
}
void illegal_address_past_the_end() {
  int* p = nullptr;
  CHECK_CUDA(cudaMalloc(&p, 4000));
  store<<<1, 32>>>(p, 1ll << 32);
  expect_sticky(700);
}
void failed_assert() {
  assert_small<<<1, 64>>>(64);
  check_launch();
  assert_small<<<1, 64>>>(40);
  expect_sticky(710);
}
void illegal_instruction() {
  video_add<<<1, 32>>>(0);
  check_launch();  // nobody has reached it
  video_add<<<1, 32>>>(32);
  expect_sticky(715);
}
void misaligned() {
  int* p = nullptr;
  CHECK_CUDA(cudaMalloc(&p, 4000));
  store<<<1, 32>>>(p, 2);
  expect_sticky(716);
}
void trapped() {
  trap_at<<<1, 64>>>(99);
  check_launch();
  trap_at<<<1, 64>>>(63);
  expect_sticky(719);
}
void call_of_nothing() {
  Function* f = nullptr;
  CHECK_CUDA(cudaMalloc(&f, sizeof(Function)));
  CHECK_CUDA(cudaMemset(f, 0, sizeof(Function)));
  jump_nowhere<<<1, 32>>>(f);
  int error = cudaDeviceSynchronize();
  EXPECT(error == 700 || error == 718 || error == 719);
  EXPECT_ERROR(error, cudaGetLastError());
}
void cooperative_too_large() {
  EXPECT_ERROR(720, cudaLaunchCooperativeKernel(nothing, dim3(1 << 20), dim3(1024), nullptr, 0, nullptr));
}
void clusters() {
  single<<<2, 32>>>();
  check_launch();
  paired<<<2, 32>>>();
  EXPECT_ERROR(capability() >= 90 ? 801 : 0, cudaGetLastError());
  nothing<<<1, 32>>>();
  check_launch();  // not sticky
}
void capture_rules() {
  cudaStream_t stream;
  CHECK_CUDA(cudaStreamCreate(&stream));
  CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  nothing<<<1, 1, 0, stream>>>();
  EXPECT_ERROR(900, cudaStreamSynchronize(stream));
  cudaGraph_t graph = nullptr;
  EXPECT_ERROR(901, cudaStreamEndCapture(stream, &graph));
  CHECK_CUDA(cudaGetLastError() == cudaErrorStreamCaptureInvalidated ? cudaSuccess : cudaErrorUnknown);
  CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  nothing<<<1, 1>>>();  // the legacy default stream waits for blocking streams: forbidden now
  EXPECT_ERROR(906, cudaGetLastError());
  cudaStreamEndCapture(stream, &graph);
  cudaGetLastError();
  // A side stream that was forked off and never joined.
  cudaStream_t side;
  cudaEvent_t event;
  CHECK_CUDA(cudaStreamCreate(&side));
  CHECK_CUDA(cudaEventCreate(&event));
  CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  CHECK_CUDA(cudaEventRecord(event, stream));
  CHECK_CUDA(cudaStreamWaitEvent(side, event, 0));
  nothing<<<1, 1, 0, side>>>();
  EXPECT_ERROR(904, cudaStreamEndCapture(stream, &graph));
}

struct Case {
  const char* name;
  void (*run)();
};
const Case kCases[] = {{"error_1_invalid_value", invalid_value},
                       {"error_2_out_of_memory", out_of_memory},
                       {"error_9_invalid_configuration", invalid_configuration},
                       {"error_13_invalid_symbol", invalid_symbol},
                       {"error_98_invalid_function", invalid_function},
                       {"error_101_invalid_device", invalid_device},
                       {"error_400_invalid_handle", invalid_handle},
                       {"error_700_null", illegal_address},
                       {"error_700_past_the_end", illegal_address_past_the_end},
                       {"error_710_assert", failed_assert},
                       {"error_712_registered_twice", registered_twice},
                       {"error_715_illegal_instruction", illegal_instruction},
                       {"error_716_misaligned", misaligned},
                       {"error_718_call_of_nothing", call_of_nothing},
                       {"error_719_trap", trapped},
                       {"error_720_cooperative_too_large", cooperative_too_large},
                       {"error_801_clusters", clusters},
                       {"error_90x_capture", capture_rules}};

}  // namespace

int main(int argc, char** argv) {
  int failures = 0;
  for (const Case& c : kCases) {
    if (argc > 1 && std::strcmp(argv[1], c.name) != 0) continue;
    std::fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      c.run();
      std::printf("ok %s\n", c.name);
      std::fflush(stdout);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) std::printf("%s: failed with status 0x%x\n", c.name, status), ++failures;
  }
  return failures != 0;
}
