// Memory of every kind: constants, symbols with initialisers, managed variables, pinned memory, 2D copies,
// opt-in sizes.
#include "check.h"

namespace {

__constant__ float coefficients[5] = {1, 2, 3, 4, 5};
__constant__ int filled_later[4];
struct Record {
  int id;
  double weight;
  const char* name;
};
__device__ int numbers[4] = {10, 20, 30, 40};
__device__ int* middle = &numbers[2];
__device__ int** to_middle = &middle;
__device__ const char* greeting = "hello";
__device__ Record records[2] = {{1, 0.5, "first"}, {2, 1.5, "second"}};
__device__ float zeros[3];
__managed__ int managed_counter = 5;
__managed__ float managed_values[8];

__global__ void read_symbols(double* out) {
  double sum = 0;
  for (float c : coefficients) sum = sum * 10 + c;
  out[0] = sum;
  out[1] = filled_later[0] + filled_later[3];
  out[2] = *middle + **to_middle + middle[1];
  out[3] = greeting[0] + greeting[4];
  out[4] = records[1].id + records[1].weight + records[0].name[1] + records[1].name[2];
  out[5] = zeros[0] + zeros[2];
  zeros[1] = 7;
  middle = &numbers[0];
}

__global__ void use_managed(float* more) {
  managed_values[threadIdx.x] = float(managed_counter) * float(threadIdx.x);
  more[threadIdx.x] += 1;
  __syncthreads();
  if (threadIdx.x == 0) managed_counter += 10;
}

__global__ void dynamic_shared(float* out, int n) {
  extern __shared__ float big[];
  for (int i = int(threadIdx.x); i < n; i += int(blockDim.x)) big[i] = float(i);
  __syncthreads();
  for (int i = int(threadIdx.x); i < n; i += int(blockDim.x)) out[i] = big[n - 1 - i];
}

__global__ void static_and_dynamic(int* out) {
  __shared__ int fixed[33];
  extern __shared__ double flexible[];
  fixed[threadIdx.x] = int(threadIdx.x);
  flexible[threadIdx.x] = threadIdx.x * 0.5;
  __syncthreads();
  out[threadIdx.x] = fixed[31 - threadIdx.x] + int(flexible[31 - threadIdx.x] * 2);
}

__global__ void increment(int* p, int n) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) ++p[i];
}

__global__ void spaces(int* global, int* out) {
  __shared__ int in_shared;
  int in_local = int(threadIdx.x);
  out[0] = __isGlobal(global) + 2 * __isShared(&in_shared) + 4 * __isLocal(&in_local) +
           8 * __isConstant(coefficients);
  out[1] = __isShared(global) + 2 * __isGlobal(&in_shared) + 4 * __isGlobal(&in_local);
  int* choices[3] = {global, &in_shared, &in_local};
  for (int i = 0; i < 3; ++i) *choices[(i + out[1]) % 3] = 100 + i;
  out[2] = in_shared + in_local;
}

}  // namespace

TEST(symbols) {
  int later[4] = {100, 0, 0, 11};
  CHECK_CUDA(cudaMemcpyToSymbol(filled_later, later, sizeof later));
  Buffer<double> out(6);
  read_symbols<<<1, 1>>>(out);
  check_launch();
  expect_near(out.host(), std::vector<double>{12345, 111, 30 + 30 + 40, 'h' + 'o', 2 + 1.5 + 'i' + 'c', 0}, 0,
              "symbols");
  float seven = 0;
  CHECK_CUDA(cudaMemcpyFromSymbol(&seven, zeros, sizeof seven, sizeof(float)));
  EXPECT(seven == 7);
  int *address = nullptr, *first = nullptr;
  size_t size = 0;
  CHECK_CUDA(cudaGetSymbolAddress(reinterpret_cast<void**>(&address), numbers));
  CHECK_CUDA(cudaGetSymbolSize(&size, numbers));
  CHECK_CUDA(cudaMemcpyFromSymbol(&first, middle, sizeof first));
  EXPECT(first == address && size == 16);
  CHECK_CUDA(cudaMemset(address, 0, size));
  CHECK_CUDA(cudaMemcpyFromSymbol(later, numbers, size));
  EXPECT(later[0] == 0 && later[3] == 0);
}

TEST(managed_memory) {
  float* more = nullptr;
  CHECK_CUDA(cudaMallocManaged(&more, 8 * sizeof(float)));
  for (int i = 0; i < 8; ++i) more[i] = float(i);
  EXPECT(managed_counter == 5);
  managed_counter = 3;
  use_managed<<<1, 8>>>(more);
  check_launch();
  EXPECT(managed_counter == 13 && managed_values[7] == 21 && more[7] == 8);
  CHECK_CUDA(cudaFree(more));
}

TEST(dynamic_shared_memory) {
  constexpr int kCount = 16000;  // 62.5 KiB: above the 48 KiB that need no opt-in
  Buffer<float> out(kCount);
  CHECK_CUDA(cudaFuncSetAttribute(dynamic_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, 64000));
  dynamic_shared<<<1, 128, 64000>>>(out, kCount);
  check_launch();
  std::vector<float> got = out.host();
  for (int i = 0; i < kCount; ++i) EXPECT(got[i] == float(kCount - 1 - i));
  Buffer<int> small(32);
  static_and_dynamic<<<2, 32, 32 * sizeof(double)>>>(small);
  check_launch();
  std::vector<int> want(32);
  for (int i = 0; i < 32; ++i) want[i] = 2 * (31 - i);
  expect_equal(small.host(), want, "static and dynamic");
}

TEST(copies) {
  int *pinned = nullptr, *mapped = nullptr;
  CHECK_CUDA(cudaMallocHost(&pinned, 256 * sizeof(int)));
  CHECK_CUDA(cudaHostAlloc(&mapped, 256 * sizeof(int), cudaHostAllocMapped));
  for (int i = 0; i < 256; ++i) pinned[i] = i, mapped[i] = 1000 + i;
  int* device_view = nullptr;
  CHECK_CUDA(cudaHostGetDevicePointer(&device_view, mapped, 0));
  increment<<<2, 128>>>(device_view, 256);
  check_launch();
  EXPECT(mapped[0] == 1001 && mapped[255] == 1256);
  Buffer<int> a(256), b(256);
  CHECK_CUDA(cudaMemcpyAsync(a, pinned, 1024, cudaMemcpyHostToDevice, nullptr));
  CHECK_CUDA(cudaMemcpy(b, a, 1024, cudaMemcpyDeviceToDevice));
  increment<<<2, 128>>>(b, 256);
  CHECK_CUDA(cudaMemcpy(pinned, b, 1024, cudaMemcpyDefault));
  EXPECT(pinned[0] == 1 && pinned[255] == 256);
  std::vector<int> registered(300, 5);
  CHECK_CUDA(cudaHostRegister(registered.data(), 1200, cudaHostRegisterDefault));
  CHECK_CUDA(cudaHostGetDevicePointer(&device_view, registered.data(), 0));
  increment<<<3, 128>>>(device_view, 300);
  check_launch();
  EXPECT(registered[299] == 6);
  CHECK_CUDA(cudaHostUnregister(registered.data()));
  cudaPointerAttributes attributes;
  CHECK_CUDA(cudaPointerGetAttributes(&attributes, +a));
  EXPECT(attributes.type == cudaMemoryTypeDevice);
  CHECK_CUDA(cudaPointerGetAttributes(&attributes, pinned));
  EXPECT(attributes.type == cudaMemoryTypeHost);
  CHECK_CUDA(cudaFreeHost(pinned));
  CHECK_CUDA(cudaFreeHost(mapped));
}

TEST(copies_in_two_dimensions) {
  constexpr int kWidth = 50, kRows = 7;
  std::vector<uint8_t> in(64 * kRows), got(80 * kRows, 9), want(80 * kRows, 9);
  for (size_t i = 0; i < in.size(); ++i) in[i] = uint8_t(i * 7);
  uint8_t* d = nullptr;
  size_t pitch = 0;
  CHECK_CUDA(cudaMallocPitch(&d, &pitch, kWidth, kRows));
  EXPECT(pitch >= kWidth && pitch % 32 == 0);
  CHECK_CUDA(cudaMemcpy2D(d, pitch, in.data(), 64, kWidth, kRows, cudaMemcpyHostToDevice));
  CHECK_CUDA(cudaMemset2D(d + 10, pitch, 0xEE, 5, 3));
  CHECK_CUDA(cudaMemcpy2D(got.data(), 80, d, pitch, kWidth, kRows, cudaMemcpyDeviceToHost));
  for (int y = 0; y < kRows; ++y)
    for (int x = 0; x < kWidth; ++x)
      want[y * 80 + x] = y < 3 && x >= 10 && x < 15 ? uint8_t(0xEE) : in[y * 64 + x];
  expect_equal(got, want, "2D copy");
  CHECK_CUDA(cudaFree(d));
}

TEST(address_spaces) {
  Buffer<int> global(1), out(3);
  spaces<<<1, 1>>>(global, out);
  check_launch();
  expect_equal(out.host(), {15, 0, 203}, "spaces");
  expect_equal(global.host(), {100}, "store through a generic pointer");
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
