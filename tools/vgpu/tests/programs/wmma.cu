// nvcuda::wmma: matrix products by warp, every element type and shape, row and column layouts.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

#include <type_traits>

#include "check.h"

namespace {

using namespace nvcuda;

// tf32 and double fragments exist in device code of compute capability 8.0 and above only.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define HAS_AMPERE 1
#else
#define HAS_AMPERE 0
#endif

struct Tf32 {};
template <class T>
struct Element {
  using Stored = T;
  using Fragment = T;
};
template <>
struct Element<Tf32> {
  using Stored = float;
#if HAS_AMPERE
  using Fragment = wmma::precision::tf32;
#endif
};

template <class T, class Sum, int kM, int kN, int kK, class LayoutA, class LayoutB>
struct Product {
  using In = typename Element<T>::Stored;
  using Out = Sum;
  static constexpr int kRows = kM, kColumns = kN, kInner = kK;
  static constexpr bool kARows = std::is_same_v<LayoutA, wmma::row_major>;
  static constexpr bool kBRows = std::is_same_v<LayoutB, wmma::row_major>;
  static constexpr int kLdA = (kARows ? kK : kM) + 16, kLdB = (kBRows ? kN : kK) + 16;
  static __device__ void run(const In* a, const In* b, Sum* c) {
    wmma::fragment<wmma::matrix_a, kM, kN, kK, typename Element<T>::Fragment, LayoutA> fa;
    wmma::fragment<wmma::matrix_b, kM, kN, kK, typename Element<T>::Fragment, LayoutB> fb;
    wmma::fragment<wmma::accumulator, kM, kN, kK, Sum> fc, fd;
    wmma::load_matrix_sync(fa, a, kLdA);
    wmma::load_matrix_sync(fb, b, kLdB);
    wmma::load_matrix_sync(fc, c, kN, wmma::mem_row_major);
#if HAS_AMPERE
    if constexpr (std::is_same_v<T, Tf32>) {
      for (int i = 0; i < fa.num_elements; ++i) fa.x[i] = wmma::__float_to_tf32(fa.x[i]);
      for (int i = 0; i < fb.num_elements; ++i) fb.x[i] = wmma::__float_to_tf32(fb.x[i]);
    }
#endif
    wmma::mma_sync(fd, fa, fb, fc);
    for (int i = 0; i < fd.num_elements; ++i) fd.x[i] = fd.x[i] + fd.x[i];
    wmma::store_matrix_sync(c, fd, kN, wmma::mem_row_major);
    wmma::fill_fragment(fc, Sum(1));
    wmma::mma_sync(fd, fa, fb, fc);
    wmma::store_matrix_sync(c + kM * kN, fd, kM, wmma::mem_col_major);
  }
};

template <class P>
__global__ void early(const typename P::In* a, const typename P::In* b, typename P::Out* c) {
  P::run(a, b, c);
}

template <class P>
__global__ void ampere(const typename P::In* a, const typename P::In* b, typename P::Out* c) {
#if HAS_AMPERE
  P::run(a, b, c);
#endif
}

double number(float x) {
  return x;
}
double number(double x) {
  return x;
}
double number(__half x) {
  return __half2float(x);
}
double number(__nv_bfloat16 x) {
  return __bfloat162float(x);
}
double number(signed char x) {
  return x;
}
double number(unsigned char x) {
  return x;
}
double number(int x) {
  return x;
}
void assign(float& to, double x) {
  to = float(std::round(x * 128) / 128);
}
void assign(double& to, double x) {
  to = x;
}
void assign(__half& to, double x) {
  to = __double2half(x);
}
void assign(__nv_bfloat16& to, double x) {
  to = __double2bfloat16(x);
}
void assign(signed char& to, double x) {
  to = static_cast<signed char>(x * 127);
}
void assign(unsigned char& to, double x) {
  to = static_cast<unsigned char>((x + 1) * 127);
}
void assign(int& to, double x) {
  to = int(x * 1000);
}

template <class P, class Kernel>
void compare(Kernel kernel, const char* name, double tolerance) {
  Random random(61);
  using In = typename P::In;
  constexpr int kCells = P::kRows * P::kColumns;
  std::vector<In> a(P::kLdA * (P::kARows ? P::kRows : P::kInner)),
      b(P::kLdB * (P::kBRows ? P::kInner : P::kColumns));
  std::vector<typename P::Out> c(2 * kCells);
  for (In& v : a) assign(v, random.uniform());
  for (In& v : b) assign(v, random.uniform());
  for (auto& v : c) assign(v, random.uniform());
  std::vector<double> want(2 * kCells), got(2 * kCells);
  for (int i = 0; i < P::kRows; ++i)
    for (int j = 0; j < P::kColumns; ++j) {
      double sum = 0;
      for (int k = 0; k < P::kInner; ++k)
        sum += number(a[P::kARows ? i * P::kLdA + k : k * P::kLdA + i]) *
               number(b[P::kBRows ? k * P::kLdB + j : j * P::kLdB + k]);
      want[i * P::kColumns + j] = 2 * (sum + number(c[i * P::kColumns + j]));
      want[kCells + j * P::kRows + i] = sum + 1;
    }
  Buffer<In> da(a), db(b);
  Buffer<typename P::Out> dc(c);
  kernel<<<1, 32>>>(da, db, dc);
  check_launch();
  c = dc.host();
  for (size_t i = 0; i < c.size(); ++i) got[i] = number(c[i]);
  expect_near(got, want, tolerance, name);
}

template <class P>
void compare_early(const char* name, double tolerance) {
  compare<P>(early<P>, name, tolerance);
}
template <class P>
void compare_ampere(const char* name, double tolerance) {
  compare<P>(ampere<P>, name, tolerance);
}

using Row = wmma::row_major;
using Column = wmma::col_major;

}  // namespace

TEST(wmma_half) {
  compare_early<Product<__half, float, 16, 16, 16, Row, Row>>("16x16x16, rows and rows", 1e-5);
  compare_early<Product<__half, float, 16, 16, 16, Column, Row>>("16x16x16, columns and rows", 1e-5);
  compare_early<Product<__half, float, 16, 16, 16, Row, Column>>("16x16x16, rows and columns", 1e-5);
  compare_early<Product<__half, float, 32, 8, 16, Column, Column>>("32x8x16, columns and columns", 1e-5);
  compare_early<Product<__half, float, 8, 32, 16, Row, Column>>("8x32x16, rows and columns", 1e-5);
  compare_early<Product<__half, __half, 16, 16, 16, Row, Column>>("16x16x16, sums in half", 1e-2);
}
TEST(wmma_bytes) {
  compare_early<Product<signed char, int, 16, 16, 16, Row, Column>>("signed bytes", 0);
  compare_early<Product<unsigned char, int, 32, 8, 16, Row, Row>>("unsigned bytes", 0);
}
TEST_SINCE(wmma_bfloat, 80) {
  compare_ampere<Product<__nv_bfloat16, float, 16, 16, 16, Row, Column>>("bfloat16", 1e-5);
  compare_ampere<Product<__nv_bfloat16, float, 8, 32, 16, Column, Row>>("bfloat16, 8x32x16", 1e-5);
}
TEST_SINCE(wmma_tf32, 80) {
  compare_ampere<Product<Tf32, float, 16, 16, 8, Row, Column>>("tf32", 1e-5);
  compare_ampere<Product<Tf32, float, 16, 16, 8, Column, Row>>("tf32, columns and rows", 1e-5);
}
TEST_SINCE(wmma_double, 80) {
  compare_ampere<Product<double, double, 8, 8, 4, Row, Column>>("double", 1e-14);
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
