// Everyday kernels: vector addition, matrix products, transposes, convolution, pooling, wide loads, large
// parameters.
#include "../support/sgemm.h"
#include "check.h"

namespace {

__global__ void add(const float* a, const float* b, float* c, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) c[i] = a[i] + b[i];
}

std::vector<double> product(const std::vector<float>& a, const std::vector<float>& b, int n) {
  std::vector<double> c(size_t(n) * n, 0.0);
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < n; ++k)
      for (int j = 0; j < n; ++j) c[i * n + j] += double(a[i * n + k]) * b[k * n + j];
  return c;
}

template <int kPadding>
__global__ void transpose(const float* in, float* out, int rows, int columns) {
  __shared__ float tile[32][32 + kPadding];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (x < columns && y + j < rows) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * columns + x];
  __syncthreads();
  x = blockIdx.y * 32 + threadIdx.x;
  y = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (x < rows && y + j < columns) out[(y + j) * rows + x] = tile[threadIdx.x][threadIdx.y + j];
}

// Naive convolution, 9x9, zero padding; one thread an output pixel.
__global__ void conv9(const float* in, const float* weight, float* out, int channels, int size) {
  int x = threadIdx.x, y = blockIdx.x, o = blockIdx.y;
  float sum = 0;
  for (int c = 0; c < channels; ++c)
    for (int ky = 0; ky < 9; ++ky)
      for (int kx = 0; kx < 9; ++kx) {
        int iy = y + ky - 4, ix = x + kx - 4;
        if (iy >= 0 && iy < size && ix >= 0 && ix < size)
          sum += in[(c * size + iy) * size + ix] * weight[((o * channels + c) * 9 + ky) * 9 + kx];
      }
  out[(o * size + y) * size + x] = sum;
}

__global__ void max_pool(const float* in, float* out, int* where, int size) {
  int x = threadIdx.x, y = threadIdx.y, half = size / 2;
  float best = -INFINITY;
  int at = -1;
  for (int i = 0; i < 4; ++i) {
    int index = (2 * y + i / 2) * size + 2 * x + i % 2;
    if (in[index] > best) best = in[index], at = index;
  }
  out[y * half + x] = best;
  where[y * half + x] = at;
}

__global__ void number_cells(int* out) {
  unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  unsigned cell = block * blockDim.x * blockDim.y * blockDim.z + thread;
  out[cell] = int(cell * 3 + blockIdx.x);
}

template <class T>
__global__ void copy_values(const T* in, T* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[i];
}

template <class T>
__global__ void copy_hinted(const T* __restrict__ in, T* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) __stcs(&out[i], i % 2 ? __ldg(&in[i]) : __ldcs(&in[i]));
}

template <class T>
void copy_round(const char* name) {
  constexpr int kCount = 77;
  Random random(sizeof(T));
  std::vector<uint8_t> bytes(kCount * sizeof(T));
  for (uint8_t& b : bytes) b = uint8_t(random.bits());
  Buffer<uint8_t> in(bytes), out(bytes.size());
  copy_values<T><<<3, 32>>>(reinterpret_cast<const T*>(+in), reinterpret_cast<T*>(+out), kCount);
  check_launch();
  expect_equal(out.host(), bytes, name);
}

template <class T>
void hinted_round(const char* name) {
  copy_round<T>(name);
  std::vector<int> values(256);
  for (int i = 0; i < 256; ++i) values[i] = i * 77777;
  Buffer<int> in(values), out(values.size());
  int count = int(256 * 4 / sizeof(T));
  copy_hinted<T>
      <<<(count + 31) / 32, 32>>>(reinterpret_cast<const T*>(+in), reinterpret_cast<T*>(+out), count);
  check_launch();
  expect_equal(out.host(), values, name);
}

struct Large {
  int values[1200];
};
struct Huge {
  int values[8190 - 2];
};

__global__ void sum_large(Large large, int* out) {
  int sum = 0;
  for (int i = threadIdx.x; i < 1200; i += 32) sum += large.values[i];
  atomicAdd(out, sum);
}

__device__ int pick(const Huge* huge, int i) {
  return huge->values[i];
}
__global__ void sum_huge(const __grid_constant__ Huge huge, int* out) {
  int sum = 0;
  for (int i = threadIdx.x; i < 8188; i += 32) sum += pick(&huge, i);
  atomicAdd(out, sum);
}

struct Mixed {
  char a;
  double b;
  short c;
  float4 d;
  char e[3];
};
__global__ void mixed(char first, Mixed m, short last, double* out) {
  out[0] = first + m.a + m.b + m.c + m.d.x + m.d.w + m.e[2] + last;
}

template <class F>
__global__ void apply(int* out, int n, F f) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = f(i);
}

template <int... kValues>
struct Sum;
template <int kFirst, int... kRest>
struct Sum<kFirst, kRest...> {
  static __device__ int value(int x) { return kFirst * x + Sum<kRest...>::value(x); }
};
template <>
struct Sum<> {
  static __device__ int value(int) { return 0; }
};

}  // namespace

TEST(vector_add) {
  constexpr int kCount = 100003;
  std::vector<float> a = random_floats(kCount, 1), b = random_floats(kCount, 2), want(kCount);
  for (int i = 0; i < kCount; ++i) want[i] = a[i] + b[i];
  Buffer<float> da(a), db(b), dc(kCount);
  add<<<40, 256>>>(da, db, dc, kCount);
  check_launch();
  expect_near(dc.host(), want, 0, "vector_add");
}

TEST(sgemm) {
  constexpr int kSize = 128;
  std::vector<float> a = random_floats(kSize * kSize, 3), b = random_floats(kSize * kSize, 4);
  std::vector<double> want = product(a, b, kSize);
  Buffer<float> da(a), db(b), dc(kSize * kSize);
  sgemm_tiled<16><<<dim3(8, 8), dim3(16, 16)>>>(da, db, dc, kSize);
  check_launch();
  expect_near(dc.host(), want, 1e-5, "tiles of 16x16");
  sgemm_tiled<32><<<dim3(4, 4), dim3(32, 32)>>>(da, db, dc, kSize);
  check_launch();
  expect_near(dc.host(), want, 1e-5, "tiles of 32x32");
  sgemm_64<<<dim3(2, 2), 256>>>(da, db, dc, kSize);
  check_launch();
  expect_near(dc.host(), want, 1e-5, "tiles of 64x64");
}

TEST(transposes) {
  constexpr int kRows = 70, kColumns = 45;
  std::vector<float> in = random_floats(kRows * kColumns, 5), want(in.size());
  for (int y = 0; y < kRows; ++y)
    for (int x = 0; x < kColumns; ++x) want[x * kRows + y] = in[y * kColumns + x];
  Buffer<float> di(in), d0(in.size()), d1(in.size());
  transpose<0><<<dim3(2, 3), dim3(32, 8)>>>(di, d0, kRows, kColumns);
  transpose<1><<<dim3(2, 3), dim3(32, 8)>>>(di, d1, kRows, kColumns);
  check_launch();
  expect_near(d0.host(), want, 0, "without padding");
  expect_near(d1.host(), want, 0, "with padding");
}

TEST(convolution) {
  constexpr int kIn = 3, kOut = 4, kSize = 20;
  std::vector<float> in = random_floats(kIn * kSize * kSize, 6), weight = random_floats(kOut * kIn * 81, 7);
  std::vector<double> want(kOut * kSize * kSize, 0.0);
  for (int o = 0; o < kOut; ++o)
    for (int y = 0; y < kSize; ++y)
      for (int x = 0; x < kSize; ++x)
        for (int k = 0; k < kIn * 81; ++k) {
          int iy = y + k % 81 / 9 - 4, ix = x + k % 9 - 4;
          if (iy < 0 || ix < 0 || iy >= kSize || ix >= kSize) continue;
          want[(o * kSize + y) * kSize + x] +=
              double(in[(k / 81 * kSize + iy) * kSize + ix]) * weight[o * kIn * 81 + k];
        }
  Buffer<float> di(in), dw(weight), dout(want.size());
  conv9<<<dim3(kSize, kOut), kSize>>>(di, dw, dout, kIn, kSize);
  check_launch();
  expect_near(dout.host(), want, 1e-5, "convolution");
}

TEST(pooling) {
  constexpr int kSize = 24;
  std::vector<float> in = random_floats(kSize * kSize, 8), want(kSize * kSize / 4);
  Buffer<float> di(in), dout(want.size());
  Buffer<int> where(want.size());
  max_pool<<<1, dim3(kSize / 2, kSize / 2)>>>(di, dout, where, kSize);
  check_launch();
  std::vector<int> at = where.host();
  for (size_t i = 0; i < want.size(); ++i) {
    int y = int(i) / (kSize / 2) * 2, x = int(i) % (kSize / 2) * 2;
    const float* p = &in[y * kSize + x];
    want[i] = std::fmax(std::fmax(p[0], p[1]), std::fmax(p[kSize], p[kSize + 1]));
    EXPECT(in[at[i]] == want[i]);
  }
  expect_near(dout.host(), want, 0, "pooling");
}

TEST(big_grid) {
  dim3 grid(13, 11, 7), block(4, 2, 3);
  std::vector<int> want(13 * 11 * 7 * 24);
  for (size_t i = 0; i < want.size(); ++i) want[i] = int(i * 3 + i / 24 % 13);
  Buffer<int> out(want.size());
  number_cells<<<grid, block>>>(out);
  check_launch();
  expect_equal(out.host(), want, "cells");
}

TEST(wide_loads) {
  copy_round<uint8_t>("u8");
  copy_round<char2>("v2.u8");
  copy_round<uchar4>("v4.u8");
  copy_round<short>("s16");
  copy_round<ushort2>("v2.u16");
  copy_round<short4>("v4.s16");
  copy_round<char3>("char3");
  copy_round<float3>("float3");
  copy_round<double2>("v2.f64");
  copy_round<ulonglong2>("v2.u64");
  hinted_round<int>("u32");
  hinted_round<float2>("v2.f32");
  hinted_round<int4>("v4.s32");
  hinted_round<float4>("v4.f32");
  hinted_round<long long>("s64");
}

TEST(large_parameters) {
  Large large;
  Huge huge;
  int want_large = 0, want_huge = 0;
  for (int i = 0; i < 1200; ++i) want_large += large.values[i] = i * i;
  for (int i = 0; i < 8188; ++i) want_huge += huge.values[i] = i ^ 0x55;
  Buffer<int> out(2);
  sum_large<<<1, 32>>>(large, out);
  sum_huge<<<1, 32>>>(huge, out + 1);
  check_launch();
  expect_equal(out.host(), {want_large, want_huge}, "sums of a 4800- and a 32752-byte parameter");
  Buffer<double> result(1);
  mixed<<<1, 1>>>(1, Mixed{2, 0.5, 300, make_float4(4, 0, 0, 8), {0, 0, 16}}, 1000, result);
  check_launch();
  expect_near(result.host(), std::vector<double>{1331.5}, 0, "parameters of mixed alignment");
}

TEST(lambdas) {
  constexpr int kCount = 100;
  Buffer<int> out(kCount);
  int scale = 7;
  long long offset = 5;
  apply<<<1, 128>>>(+out, kCount,
                    [=] __device__(int i) { return int(scale * i + offset) + Sum<1, 2, 3>::value(i); });
  check_launch();
  std::vector<int> want(kCount);
  for (int i = 0; i < kCount; ++i) want[i] = 13 * i + 5;
  expect_equal(out.host(), want, "lambda");
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
