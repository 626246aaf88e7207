// Tensor-core instructions written in assembly, against products on the host: mma.sync of every type,
// ldmatrix, stmatrix.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <type_traits>

#include "check.h"

namespace {

struct Tf32 {  // a float whose low 13 bits do not count
  float value;
};

__host__ __device__ inline double number(float x) {
  return x;
}
__host__ __device__ inline double number(double x) {
  return x;
}
__host__ __device__ inline double number(Tf32 x) {
  return x.value;
}
inline double number(__half x) {
  return __half2float(x);
}
inline double number(__nv_bfloat16 x) {
  return __bfloat162float(x);
}
inline double number(int8_t x) {
  return x;
}
inline double number(uint8_t x) {
  return x;
}
inline double number(int x) {
  return x;
}

inline void assign(float& to, double x) {
  to = float(x);
}
inline void assign(double& to, double x) {
  to = x;
}
inline void assign(__half& to, double x) {
  to = __double2half(x);
}
inline void assign(__nv_bfloat16& to, double x) {
  to = __double2bfloat16(x);
}
inline void assign(int8_t& to, double x) {
  to = int8_t(x * 127);
}
inline void assign(uint8_t& to, double x) {
  to = uint8_t((x + 1) * 127);
}
inline void assign(int& to, double x) {
  to = int(x * 1000);
}
inline void assign(Tf32& to, double x) {
  float f = float(x);
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  bits &= ~0x1FFFu;
  std::memcpy(&to.value, &bits, 4);
}

template <class A, class B, class C, int kM, int kK>
struct Shape {
  using AType = A;
  using BType = B;
  using CType = C;
  static constexpr int kRows = kM, kInner = kK;
};

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 80 * 10
#define SM80(...)
#else
#define SM80(...) __VA_ARGS__
#endif
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 90 * 10
#define SM90(...)
#else
#define SM90(...) __VA_ARGS__
#endif

#define MMA_C4_A4_B2(PTX, KIND)                                                                 \
  asm volatile("mma.sync.aligned." PTX " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
               : "+" KIND(c[0]), "+" KIND(c[1]), "+" KIND(c[2]), "+" KIND(c[3])                 \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
#define MMA_C4_A2_B1(PTX, KIND)                                                        \
  asm volatile("mma.sync.aligned." PTX " {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};" \
               : "+" KIND(c[0]), "+" KIND(c[1]), "+" KIND(c[2]), "+" KIND(c[3])        \
               : "r"(a[0]), "r"(a[1]), "r"(b[0]))
#define MMA_C2_A4_B2(PTX)                                                           \
  asm volatile("mma.sync.aligned." PTX " {%0,%1}, {%2,%3,%4,%5}, {%6,%7}, {%0,%1};" \
               : "+r"(c[0]), "+r"(c[1])                                             \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
#define MMA_C2_A2_B1(PTX)                                                  \
  asm volatile("mma.sync.aligned." PTX " {%0,%1}, {%2,%3}, {%4}, {%0,%1};" \
               : "+r"(c[0]), "+r"(c[1])                                    \
               : "r"(a[0]), "r"(a[1]), "r"(b[0]))

using Word = uint32_t;
// A shape and its instruction; a, b and c are a lane's registers.
#define MMA(NAME, A, B, C, ROWS, INNER, INSTRUCTION)                       \
  struct NAME : Shape<A, B, C, ROWS, INNER> {                              \
    template <class Factor, class Sum>                                     \
    static __device__ void run(Sum* c, const Factor* a, const Factor* b) { \
      INSTRUCTION;                                                         \
    }                                                                      \
  };
MMA(Tf32K8, Tf32, Tf32, float, 16, 8, SM80(MMA_C4_A4_B2("m16n8k8.row.col.f32.tf32.tf32.f32", "f")))
MMA(Tf32K4, Tf32, Tf32, float, 16, 4, SM80(MMA_C4_A2_B1("m16n8k4.row.col.f32.tf32.tf32.f32", "f")))
MMA(HalfK8, __half, __half, float, 16, 8, MMA_C4_A2_B1("m16n8k8.row.col.f32.f16.f16.f32", "f"))
MMA(HalfK16, __half, __half, float, 16, 16, SM80(MMA_C4_A4_B2("m16n8k16.row.col.f32.f16.f16.f32", "f")))
MMA(HalfAccumulatorK8, __half, __half, __half, 16, 8, MMA_C2_A2_B1("m16n8k8.row.col.f16.f16.f16.f16"))
MMA(HalfAccumulatorK16, __half, __half, __half, 16, 16,
    SM80(MMA_C2_A4_B2("m16n8k16.row.col.f16.f16.f16.f16")))
MMA(BfloatK8, __nv_bfloat16, __nv_bfloat16, float, 16, 8,
    SM80(MMA_C4_A2_B1("m16n8k8.row.col.f32.bf16.bf16.f32", "f")))
MMA(BfloatK16, __nv_bfloat16, __nv_bfloat16, float, 16, 16,
    SM80(MMA_C4_A4_B2("m16n8k16.row.col.f32.bf16.bf16.f32", "f")))
MMA(ByteK16, int8_t, int8_t, int, 16, 16, SM80(MMA_C4_A2_B1("m16n8k16.row.col.s32.s8.s8.s32", "r")))
MMA(ByteK32, int8_t, int8_t, int, 16, 32, SM80(MMA_C4_A4_B2("m16n8k32.row.col.s32.s8.s8.s32", "r")))
MMA(MixedByteK32, uint8_t, int8_t, int, 16, 32,
    SM80(MMA_C4_A4_B2("m16n8k32.row.col.satfinite.s32.u8.s8.s32", "r")))
MMA(SmallByte, int8_t, int8_t, int, 8, 16,
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"
                 : "+r"(c[0]), "+r"(c[1])
                 : "r"(a[0]), "r"(b[0])))
MMA(DoubleK4, double, double, double, 8, 4,
    SM80(asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1}, {%2}, {%3}, {%0,%1};"
                      : "+d"(c[0]), "+d"(c[1])
                      : "d"(a[0]), "d"(b[0]))))
MMA(BigDoubleK8, double, double, double, 16, 8,
    SM90(asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
        : "d"(a[0]), "d"(a[1]), "d"(a[2]), "d"(a[3]), "d"(b[0]), "d"(b[1]))))

// How the lanes hold a matrix: `per` neighbours along k (or n) in a register, row halves alternating, then k
// blocks.
template <class S>
__global__ void run_mma(const typename S::AType* a, const typename S::BType* b, typename S::CType* c) {
  using A = typename S::AType;
  using B = typename S::BType;
  using C = typename S::CType;
  constexpr int kPer = sizeof(A) < 4 ? 4 / sizeof(A) : 1, kACount = S::kRows * S::kInner / 32;
  constexpr int kBCount = S::kInner * 8 / 32, kCCount = S::kRows * 8 / 32;
  using RegisterA = std::conditional_t<sizeof(A) == 8, double, Word>;
  using RegisterC = std::conditional_t<sizeof(C) == 2, Word, C>;
  __align__(16) A fa[kACount];
  __align__(16) B fb[kBCount];
  __align__(16) C fc[kCCount];
  int lane = int(threadIdx.x), group = lane / 4, in_group = lane % 4;
  for (int i = 0; i < kACount; ++i) {
    int j = i / kPer, row = group + (S::kRows == 16 ? 8 * (j & 1) : 0), block = S::kRows == 16 ? j / 2 : j;
    fa[i] = a[row * S::kInner + in_group * kPer + i % kPer + block * 4 * kPer];
  }
  for (int i = 0; i < kBCount; ++i) fb[i] = b[(in_group * kPer + i % kPer + i / kPer * 4 * kPer) * 8 + group];
  for (int i = 0; i < kCCount; ++i) fc[i] = c[(group + i / 2 * 8) * 8 + in_group * 2 + i % 2];
  RegisterA ra[(sizeof fa + sizeof(RegisterA) - 1) / sizeof(RegisterA)];
  RegisterA rb[(sizeof fb + sizeof(RegisterA) - 1) / sizeof(RegisterA)];
  RegisterC rc[sizeof fc / sizeof(RegisterC)];
  memcpy(ra, fa, sizeof fa);
  memcpy(rb, fb, sizeof fb);
  memcpy(rc, fc, sizeof fc);
  S::run(rc, ra, rb);
  memcpy(fc, rc, sizeof fc);
  for (int i = 0; i < kCCount; ++i) c[(group + i / 2 * 8) * 8 + in_group * 2 + i % 2] = fc[i];
}

template <class S>
void compare(const char* name, double tolerance) {
  Random random(51);
  std::vector<typename S::AType> a(S::kRows * S::kInner);
  std::vector<typename S::BType> b(S::kInner * 8);
  std::vector<typename S::CType> c(S::kRows * 8);
  for (auto& v : a) assign(v, random.uniform());
  for (auto& v : b) assign(v, random.uniform());
  for (auto& v : c) assign(v, random.uniform());
  std::vector<double> want(c.size()), got(c.size());
  for (int i = 0; i < S::kRows; ++i)
    for (int j = 0; j < 8; ++j) {
      want[i * 8 + j] = number(c[i * 8 + j]);
      for (int k = 0; k < S::kInner; ++k)
        want[i * 8 + j] += number(a[i * S::kInner + k]) * number(b[k * 8 + j]);
    }
  Buffer<typename S::AType> da(a);
  Buffer<typename S::BType> db(b);
  Buffer<typename S::CType> dc(c);
  run_mma<S><<<1, 32>>>(da, db, dc);
  check_launch();
  c = dc.host();
  for (size_t i = 0; i < c.size(); ++i) got[i] = number(c[i]);
  expect_near(got, want, tolerance, name);
}

// Matrices of 8x8 halves: `in` holds four of them, one row of 8 after another.
__global__ void load_matrices(const uint16_t* in, uint32_t* out) {
  __shared__ __align__(16) uint16_t tile[32 * 8];
  int lane = int(threadIdx.x);
  for (int i = 0; i < 8; ++i) tile[lane * 8 + i] = in[lane * 8 + i];
  __syncwarp();
  auto address = uint32_t(__cvta_generic_to_shared(&tile[lane * 8]));
  uint32_t* r = out + lane * 11;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[4]), "=r"(r[5]), "=r"(r[6]), "=r"(r[7])
               : "r"(address));
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[8]), "=r"(r[9])
               : "r"(address));
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];" : "=r"(r[10]) : "r"(address));
}

__global__ void store_matrices(const uint32_t* in, uint16_t* out) {
  __shared__ __align__(16) uint16_t tile[2][32 * 8];
  int lane = int(threadIdx.x);
  SM90(auto plain = uint32_t(__cvta_generic_to_shared(&tile[0][lane * 8]));
       auto transposed = uint32_t(__cvta_generic_to_shared(&tile[1][lane * 8]));
       const uint32_t* r = in + lane * 4;
       asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(plain), "r"(r[0]),
                    "r"(r[1]), "r"(r[2]), "r"(r[3])
                    : "memory");
       asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(transposed),
                    "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
                    : "memory");)
  __syncwarp();
  for (int i = 0; i < 16; ++i) out[i * 32 + lane] = tile[i / 8][i % 8 * 32 + lane];
}

uint32_t pack(const std::vector<uint16_t>& in, int matrix, int lane, bool transposed) {
  int row = lane / 4, column = lane % 4 * 2;
  const uint16_t* m = &in[matrix * 64];
  if (transposed) return m[column * 8 + row] | uint32_t(m[(column + 1) * 8 + row]) << 16;
  return m[row * 8 + column] | uint32_t(m[row * 8 + column + 1]) << 16;
}

std::vector<uint16_t> four_matrices() {
  std::vector<uint16_t> in(256);
  for (int i = 0; i < 256; ++i) in[i] = uint16_t(i * 251 + 7);
  return in;
}

}  // namespace

TEST(mma_half) {
  compare<HalfK8>("m16n8k8 f16, sums in f32", 1e-5);
  compare<HalfAccumulatorK8>("m16n8k8 f16, sums in f16", 6e-3);
}
TEST(mma_small_bytes) {
  compare<SmallByte>("m8n8k16 s8", 0);
}
TEST_SINCE(mma_tf32, 80) {
  compare<Tf32K4>("m16n8k4 tf32", 1e-5);
  compare<Tf32K8>("m16n8k8 tf32", 1e-5);
}
TEST_SINCE(mma_half_k16, 80) {
  compare<HalfK16>("m16n8k16 f16, sums in f32", 1e-5);
  compare<HalfAccumulatorK16>("m16n8k16 f16, sums in f16", 1e-2);
}
TEST_SINCE(mma_bfloat, 80) {
  compare<BfloatK8>("m16n8k8 bf16", 1e-5);
  compare<BfloatK16>("m16n8k16 bf16", 1e-5);
}
TEST_SINCE(mma_bytes, 80) {
  compare<ByteK16>("m16n8k16 s8", 0);
  compare<ByteK32>("m16n8k32 s8", 0);
  compare<MixedByteK32>("m16n8k32 u8 by s8", 0);
}
TEST_SINCE(mma_double, 80) {
  compare<DoubleK4>("m8n8k4 f64", 1e-14);
}
TEST_SINCE(mma_double_big, 90) {
  compare<BigDoubleK8>("m16n8k8 f64", 1e-14);
}

TEST(ldmatrix) {
  std::vector<uint16_t> in = four_matrices();
  Buffer<uint16_t> di(in);
  Buffer<uint32_t> out(32 * 11);
  load_matrices<<<1, 32>>>(di, out);
  check_launch();
  std::vector<uint32_t> want(32 * 11);
  for (int lane = 0; lane < 32; ++lane) {
    uint32_t* r = &want[lane * 11];
    for (int m = 0; m < 4; ++m) r[m] = pack(in, m, lane, false), r[4 + m] = pack(in, m, lane, true);
    r[8] = r[0], r[9] = r[1], r[10] = r[4];
  }
  expect_equal(out.host(), want, "ldmatrix");
}

TEST_SINCE(stmatrix, 90) {
  std::vector<uint16_t> in = four_matrices(), want(512);
  std::vector<uint32_t> fragments(128);
  for (int lane = 0; lane < 32; ++lane)
    for (int m = 0; m < 4; ++m) fragments[lane * 4 + m] = pack(in, m, lane, false);
  for (int i = 0; i < 256; ++i) {
    want[i] = in[i];
    want[256 + i] = in[i / 64 * 64 + i % 8 * 8 + i % 64 / 8];
  }
  Buffer<uint32_t> di(fragments);
  Buffer<uint16_t> out(512);
  store_matrices<<<1, 32>>>(di, out);
  check_launch();
  expect_equal(out.host(), want, "stmatrix");
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
