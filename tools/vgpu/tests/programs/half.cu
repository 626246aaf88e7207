// 16-bit and 8-bit floats: arithmetic, pairs, comparisons and conversions of half, bfloat16 and both fp8
// formats.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include "check.h"

namespace {

constexpr int kOperations = 26;

// What each 16-bit type is called with the same operations.
struct HalfTraits {
  using One = __half;
  using Two = __half2;
  static constexpr double kUnit = 0x1p-11;
  static One from(double x) { return __double2half(x); }
  static double value(One x) { return double(__half2float(x)); }
  static __device__ Two pair(One a, One b) { return __halves2half2(a, b); }
  static __device__ One fma(One a, One b, One c) { return __hfma(a, b, c); }
  static __device__ One fma_sat(One a, One b, One c) { return __hfma_sat(a, b, c); }
  static __device__ Two fma2(Two a, Two b, Two c) { return __hfma2(a, b, c); }
};
struct BfloatTraits {
  using One = __nv_bfloat16;
  using Two = __nv_bfloat162;
  static constexpr double kUnit = 0x1p-8;
  static One from(double x) { return __double2bfloat16(x); }
  static double value(One x) { return double(__bfloat162float(x)); }
  static __device__ Two pair(One a, One b) { return __halves2bfloat162(a, b); }
  // Devices before 8.0 have no fused operation of this type: the headers leave these functions out.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  static __device__ One fma(One a, One b, One c) {
    return __float2bfloat16(fmaf(float(a), float(b), float(c)));
  }
  static __device__ One fma_sat(One a, One b, One c) {
    return __float2bfloat16(__saturatef(fmaf(float(a), float(b), float(c))));
  }
  static __device__ Two fma2(Two a, Two b, Two c) {
    return pair(fma(a.x, b.x, c.x), fma(a.y, b.y, c.y));
  }
#else
  static __device__ One fma(One a, One b, One c) {
    return __hfma(a, b, c);
  }
  static __device__ One fma_sat(One a, One b, One c) {
    return __hfma_sat(a, b, c);
  }
  static __device__ Two fma2(Two a, Two b, Two c) {
    return __hfma2(a, b, c);
  }
#endif
};

template <class Traits>
__global__ void arithmetic(const typename Traits::One* in, typename Traits::One* out, int n) {
  using One = typename Traits::One;
  using Two = typename Traits::Two;
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  One a = in[3 * i], b = in[3 * i + 1], c = in[3 * i + 2];
  Two ab = Traits::pair(a, b), bc = Traits::pair(b, c);
  One* r = out + i * kOperations;
  int k = 0;
  r[k++] = __hadd_rn(a, b);
  r[k++] = __hsub_rn(a, b);
  r[k++] = __hmul_rn(a, b);
  r[k++] = Traits::fma(a, b, c);
  r[k++] = __hdiv(a, b);
  r[k++] = __hneg(a);
  r[k++] = __habs(a);
  r[k++] = __hmin(a, b);
  r[k++] = __hmax(a, b);
  r[k++] = __hadd_sat(a, b);
  r[k++] = Traits::fma_sat(a, b, c);
  r[k++] = hsqrt(__habs(a));
  r[k++] = hexp2(a);
  r[k++] = hlog2(__habs(a));
  r[k++] = htrunc(__hmul(a, c));
  r[k++] = hfloor(a);
  r[k++] = __low2float(__hadd2(ab, bc));
  r[k++] = __high2float(__hmul2_rn(ab, bc));
  r[k++] = __low2float(Traits::fma2(ab, bc, ab));
  r[k++] = __high2float(Traits::fma2(ab, bc, ab));
  r[k++] = __low2float(__hmax2(ab, bc));
  r[k++] = __high2float(__hsub2(ab, bc));
  r[k++] = float(__hlt(a, b)) + 2 * float(__heq(a, a)) + 4 * float(__hge(b, c)) + 8 * float(__hbgt2(ab, bc));
  r[k++] = __low2float(__hlt2(ab, bc)) + 2 * __high2float(__hne2(ab, bc));
  r[k++] = float(int(float(a) * 4)) + float(__hisnan(a));
  r[k++] = __low2float(__lowhigh2highlow(ab));
}

template <class Traits>
void reference(double a, double b, double c, double* r) {
  auto saturate = [](double x) { return std::fmin(std::fmax(x, 0), 1); };
  auto exact = [](double x) { return Traits::value(Traits::from(x)); };
  double results[kOperations] = {a + b,
                                 a - b,
                                 a * b,
                                 a * b + c,
                                 a / b,
                                 -a,
                                 std::fabs(a),
                                 std::fmin(a, b),
                                 std::fmax(a, b),
                                 saturate(a + b),
                                 saturate(a * b + c),
                                 std::sqrt(std::fabs(a)),
                                 std::exp2(a),
                                 std::log2(std::fabs(a)),
                                 std::trunc(exact(a * c)),
                                 std::floor(a),
                                 a + b,
                                 b * c,
                                 a * b + a,
                                 b * c + b,
                                 std::fmax(a, b),
                                 b - c,
                                 (a < b) + 2 + 4.0 * (b >= c) + 8.0 * (a > b && b > c),
                                 (a < b) + 2.0 * (b != c),
                                 double(int(a * 4)),
                                 b};
  std::memcpy(r, results, sizeof results);
}

template <class Traits>
void compare_arithmetic(const char* what) {
  using One = typename Traits::One;
  constexpr int kCount = 300;
  Random random(41);
  std::vector<One> in(kCount * 3);
  for (One& v : in) v = Traits::from(random.uniform(0.25, 4) * (random.below(2) ? 1 : -1));
  Buffer<One> di(in), out(kCount * kOperations);
  arithmetic<Traits><<<5, 64>>>(di, out, kCount);
  check_launch();
  std::vector<One> got = out.host();
  for (int i = 0; i < kCount; ++i) {
    double want[kOperations], a = Traits::value(in[3 * i]), b = Traits::value(in[3 * i + 1]);
    reference<Traits>(a, b, Traits::value(in[3 * i + 2]), want);
    for (int k = 0; k < kOperations; ++k) {
      double g = Traits::value(got[i * kOperations + k]);
      // Approximations (division, roots, exponentials) may be one unit off; the rest must round as IEEE does.
      bool approximate = k == 4 || (k >= 11 && k <= 14);
      double w = approximate ? want[k] : Traits::value(Traits::from(want[k]));
      double tolerance = approximate ? 2 * Traits::kUnit * std::fmax(std::fabs(w), 0.25) : 0;
      if (!(std::fabs(g - w) <= tolerance))
        fail("%s: operation %d of %g, %g: %.9g, expected %.9g", what, k, a, b, g, w);
    }
  }
}

constexpr int kConversions = 20;

__global__ void convert(const float* in, float* out, int n) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  float x = in[i];
  float* r = out + i * kConversions;
  int k = 0;
  r[k++] = __half2float(__float2half_rn(x));
  r[k++] = __half2float(__float2half_rz(x));
  r[k++] = __half2float(__float2half_rd(x));
  r[k++] = __half2float(__float2half_ru(x));
  r[k++] = __bfloat162float(__float2bfloat16_rn(x));
  r[k++] = __bfloat162float(__float2bfloat16_rz(x));
  r[k++] = __bfloat162float(__float2bfloat16_rd(x));
  r[k++] = __bfloat162float(__float2bfloat16_ru(x));
  r[k++] = __high2float(__floats2half2_rn(1, x));
  r[k++] = __low2float(__floats2bfloat162_rn(x, 1));
  __half h = __float2half_rn(x);
  r[k++] = float(__half2int_rn(h));
  r[k++] = float(__half2int_rz(h));
  r[k++] = float(__half2uint_rd(h));
  r[k++] = float(__half2short_ru(h));
  r[k++] = float(__half2ll_rn(h));
  r[k++] = __half2float(__int2half_rn(int(fminf(fmaxf(x, -1e9f), 1e9f))));
  r[k++] = __half2float(__ushort2half_rz((unsigned short)(i * 331)));
  r[k++] = __bfloat162float(__int2bfloat16_rn(i * 12345 - 700000));
  r[k++] = float(__bfloat162int_rz(__float2bfloat16_rn(x)));
  r[k++] = __half2float(__double2half(double(x)));
}

// The same on the host: the headers compute these in integer arithmetic there.
void host_convert(int i, float x, float* r) {
  __half h = __float2half_rn(x);
  __nv_bfloat16 b = __float2bfloat16_rn(x);
  float f = __half2float(h);
  auto clamp = [](float v, double low, double high) { return float(std::fmin(std::fmax(v, low), high)); };
  float results[kConversions] = {__half2float(h),
                                 __half2float(__float2half_rz(x)),
                                 __half2float(__float2half_rd(x)),
                                 __half2float(__float2half_ru(x)),
                                 __bfloat162float(b),
                                 __bfloat162float(__float2bfloat16_rz(x)),
                                 __bfloat162float(__float2bfloat16_rd(x)),
                                 __bfloat162float(__float2bfloat16_ru(x)),
                                 __half2float(h),
                                 __bfloat162float(b),
                                 clamp(std::nearbyint(f), -0x1p31, 0x1p31),
                                 float(__half2int_rz(h)),
                                 clamp(std::floor(f), 0, 0x1p32),
                                 clamp(std::ceil(f), -32768, 32767),
                                 clamp(std::nearbyint(f), -0x1p63, 0x1p63),
                                 __half2float(__int2half_rn(int(std::fmin(std::fmax(x, -1e9f), 1e9f)))),
                                 __half2float(__ushort2half_rz(static_cast<unsigned short>(i * 331))),
                                 __bfloat162float(__int2bfloat16_rn(i * 12345 - 700000)),
                                 float(__bfloat162int_rz(b)),
                                 __half2float(__double2half(double(x)))};
  std::memcpy(r, results, sizeof results);
}

struct Bytes {
  uint8_t e4m3, e5m2;
  uint16_t pair43, pair52;
  uint32_t four;
  float back43, back52;
  float from_half;
};

__host__ __device__ Bytes fp8(float x, float y, int code) {
  Bytes r;
  r.e4m3 = __nv_fp8_e4m3(x).__x;
  r.e5m2 = __nv_fp8_e5m2(x).__x;
  r.pair43 = __nv_fp8x2_e4m3(make_float2(x, y)).__x;
  r.pair52 = __nv_fp8x2_e5m2(make_float2(x, y)).__x;
  r.four = __nv_fp8x4_e4m3(make_float4(y, x, -x, 1)).__x;
  __nv_fp8_e4m3 a;
  __nv_fp8_e5m2 b;
  a.__x = uint8_t(code);
  b.__x = uint8_t(code);
  r.back43 = float(a);
  r.back52 = float(b);
  r.from_half = float(__nv_fp8_e4m3(__float2half(x)));
  return r;
}

__global__ void run_fp8(const float* in, Bytes* out) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  out[i] = fp8(in[i], in[i ^ 1], i % 256);
}

}  // namespace

TEST(half_arithmetic) {
  compare_arithmetic<HalfTraits>("half");
}
TEST(bfloat_arithmetic) {
  compare_arithmetic<BfloatTraits>("bfloat16");
}

TEST(half_conversions) {
  std::vector<float> in{0,     -0.f,   65504,   65519,   65520,    1e6f, -1e6f,
                        1e-8f, -3e-8f, 6.1e-5f, 5.9e-8f, INFINITY, 0.5f, 2.5f};
  Random random(42);
  for (int i = 0; i < 242; ++i) in.push_back(float(std::ldexp(random.uniform(), random.below(34) - 18)));
  std::vector<float> want(in.size() * kConversions);
  for (size_t i = 0; i < in.size(); ++i) host_convert(int(i), in[i], &want[i * kConversions]);
  Buffer<float> di(in), out(want.size());
  convert<<<4, 64>>>(di, out, int(in.size()));
  check_launch();
  expect_near(out.host(), want, 0, "conversions");
}

TEST(fp8_conversions) {
  std::vector<float> in{0,     -0.f, 448,   449,      464,    480,     500, 57344,
                        61440, 1e9f, -1e9f, INFINITY, 0.001f, 0.0009f, NAN, 1};
  Random random(43);
  while (in.size() < 512) in.push_back(float(std::ldexp(random.uniform(), random.below(30) - 15)));
  Buffer<float> di(in);
  Buffer<Bytes> out(in.size());
  run_fp8<<<8, 64>>>(di, out);
  check_launch();
  std::vector<Bytes> got = out.host();
  auto same = [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  for (int i = 0; i < 512; ++i) {
    Bytes w = fp8(in[i], in[i ^ 1], i % 256), g = got[i];
    if (g.e4m3 != w.e4m3 || g.e5m2 != w.e5m2 || g.pair43 != w.pair43 || g.pair52 != w.pair52 ||
        g.four != w.four)
      fail("fp8 of %g: %x %x %x %x %x, expected %x %x %x %x %x", in[i], g.e4m3, g.e5m2, g.pair43, g.pair52,
           g.four, w.e4m3, w.e5m2, w.pair43, w.pair52, w.four);
    if (!same(g.back43, w.back43) || !same(g.back52, w.back52) || !same(g.from_half, w.from_half))
      fail("fp8 code %d: %g %g %g, expected %g %g %g", i % 256, g.back43, g.back52, g.from_half, w.back43,
           w.back52, w.from_half);
  }
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
