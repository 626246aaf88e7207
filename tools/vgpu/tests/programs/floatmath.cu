// Float and double arithmetic: the library functions within their error, everything else bit for bit.
#include <cfenv>
#include <cfloat>
#include <climits>

#include "check.h"

namespace {

constexpr int kFunctions = 32;

template <class T>
__host__ __device__ void library(T x, T y, T* r) {
  int k = 0;
  r[k++] = sin(x);
  r[k++] = cos(x);
  r[k++] = tan(x * T(0.125));
  r[k++] = exp(x);
  r[k++] = exp2(x);
  r[k++] = expm1(x * T(0.1));
  r[k++] = log(fabs(x) + T(0.01));
  r[k++] = log2(fabs(y));
  r[k++] = log10(fabs(y));
  r[k++] = log1p(fabs(x));
  r[k++] = pow(fabs(x), y * T(0.3));
  r[k++] = pow(-fabs(x), T(3));
  r[k++] = sqrt(fabs(x));
  r[k++] = cbrt(x);
  r[k++] = T(1) / sqrt(fabs(y));
  r[k++] = hypot(x, y);
  r[k++] = atan(x);
  r[k++] = atan2(y, x);
  r[k++] = asin(x / T(20));
  r[k++] = acos(x / T(20));
  r[k++] = sinh(x * T(0.3));
  r[k++] = cosh(x * T(0.3));
  r[k++] = tanh(x);
  r[k++] = asinh(x);
  r[k++] = acosh(fabs(x) + T(1));
  r[k++] = atanh(x / T(20));
  r[k++] = erf(x);
  r[k++] = erfc(x * T(0.3));
  r[k++] = tgamma(fabs(y) + T(0.5));
  r[k++] = lgamma(fabs(x) + T(0.5));
  r[k++] = sin(x * T(1e5));
  r[k++] = x / y;
}

template <class T>
__global__ void run_library(const T* x, const T* y, T* r, int n) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) library(x[i], y[i], r + i * kFunctions);
}

template <class T>
void compare_library(double tolerance, const char* what) {
  constexpr int kCount = 200;
  Random random(31);
  std::vector<T> x(kCount), y(kCount), got;
  for (int i = 0; i < kCount; ++i) x[i] = T(random.uniform(-10, 10)), y[i] = T(random.uniform(0.1, 9));
  Buffer<T> dx(x), dy(y), out(kCount * kFunctions);
  run_library<T><<<4, 64>>>(dx, dy, out, kCount);
  check_launch();
  got = out.host();
  for (int i = 0; i < kCount; ++i) {
    double want[kFunctions];
    library<double>(x[i], y[i], want);
    want[30] = std::sin(double(T(x[i] * T(1e5))));
    for (int k = 0; k < kFunctions; ++k)
      if (std::fabs(got[i * kFunctions + k] - want[k]) > tolerance * std::fmax(1, std::fabs(want[k])))
        fail("%s: function %d of %g, %g: %.17g, expected %.17g", what, k, double(x[i]), double(y[i]),
             double(got[i * kFunctions + k]), want[k]);
  }
}

constexpr int kRounded = 28;

// Every operation in four rounding modes.
__global__ void rounded_float(const float* in, float* out, int n) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  float a = in[3 * i], b = in[3 * i + 1], c = in[3 * i + 2], p = fabsf(a);
  float r[kRounded] = {__fadd_rn(a, b),    __fadd_rz(a, b),    __fadd_rd(a, b),    __fadd_ru(a, b),
                       __fmul_rn(a, b),    __fmul_rz(a, b),    __fmul_rd(a, b),    __fmul_ru(a, b),
                       __fmaf_rn(a, b, c), __fmaf_rz(a, b, c), __fmaf_rd(a, b, c), __fmaf_ru(a, b, c),
                       __fdiv_rn(a, b),    __fdiv_rz(a, b),    __fdiv_rd(a, b),    __fdiv_ru(a, b),
                       __fsqrt_rn(p),      __fsqrt_rz(p),      __fsqrt_rd(p),      __fsqrt_ru(p),
                       __frcp_rn(b),       __frcp_rz(b),       __frcp_rd(b),       __frcp_ru(b),
                       __fsub_rn(a, c),    __fsub_rz(a, c),    __fsub_rd(a, c),    __fsub_ru(a, c)};
  for (int k = 0; k < kRounded; ++k) out[i * kRounded + k] = r[k];
}

__global__ void rounded_double(const double* in, double* out, int n) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  double a = in[3 * i], b = in[3 * i + 1], c = in[3 * i + 2], p = fabs(a);
  double r[kRounded] = {__dadd_rn(a, b),   __dadd_rz(a, b),   __dadd_rd(a, b),   __dadd_ru(a, b),
                        __dmul_rn(a, b),   __dmul_rz(a, b),   __dmul_rd(a, b),   __dmul_ru(a, b),
                        __fma_rn(a, b, c), __fma_rz(a, b, c), __fma_rd(a, b, c), __fma_ru(a, b, c),
                        __ddiv_rn(a, b),   __ddiv_rz(a, b),   __ddiv_rd(a, b),   __ddiv_ru(a, b),
                        __dsqrt_rn(p),     __dsqrt_rz(p),     __dsqrt_rd(p),     __dsqrt_ru(p),
                        __drcp_rn(b),      __drcp_rz(b),      __drcp_rd(b),      __drcp_ru(b),
                        __dsub_rn(a, c),   __dsub_rz(a, c),   __dsub_rd(a, c),   __dsub_ru(a, c)};
  for (int k = 0; k < kRounded; ++k) out[i * kRounded + k] = r[k];
}

template <class T>
void host_rounded(const T* in, T* out) {
  static const int modes[4] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
  volatile T a = in[0], b = in[1], c = in[2], one = 1;
  for (int m = 0; m < 4; ++m) {
    std::fesetround(modes[m]);
    volatile T sum = a + b, product = a * b, quotient = a / b, inverse = one / b, difference = a - c;
    volatile T root = std::sqrt(T(std::fabs(a))), fused = std::fma(T(a), T(b), T(c));
    T results[7] = {sum, product, fused, quotient, root, inverse, difference};
    for (int k = 0; k < 7; ++k) out[k * 4 + m] = results[k];
  }
  std::fesetround(FE_TONEAREST);
}

template <class T, class Kernel>
void compare_rounded(Kernel kernel, const char* what, double lowest) {
  constexpr int kCount = 400;
  Random random(32);
  std::vector<T> in(kCount * 3), want(kCount * kRounded);
  for (T& v : in) v = T(std::ldexp(random.uniform(-2, 2), random.below(40) - 20));
  for (int i = 0; i < 30; ++i) in[i] = T(std::ldexp(in[i], int(lowest) + 20));  // subnormal results
  const T special[6] = {T(0), T(-0.0), T(1), T(INFINITY), T(-INFINITY), T(3)};
  for (int i = 0; i < 36; ++i) in[120 + 3 * i] = special[i / 6], in[121 + 3 * i] = special[i % 6];
  for (int i = 0; i < kCount; ++i) host_rounded(&in[3 * i], &want[i * kRounded]);
  Buffer<T> di(in), out(want.size());
  kernel<<<7, 64>>>(di, out, kCount);
  check_launch();
  expect_near(out.host(), want, 0, what);
}

constexpr int kConverted = 26;

__global__ void convert(const float* in, double* out, int n) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  float x = in[i];
  double w = double(x) * 1.0000000123, bits = double(__float_as_int(x));
  double r[kConverted] = {double(__float2int_rn(x)),
                          double(__float2int_rz(x)),
                          double(__float2int_rd(x)),
                          double(__float2int_ru(x)),
                          double(__float2uint_rn(x)),
                          double(__float2uint_rz(x)),
                          double(__float2ll_rd(x)),
                          double(__float2ull_ru(x)),
                          double(__double2int_rn(w)),
                          double(__double2uint_rz(w)),
                          double(__double2float_rn(w)),
                          double(__double2float_rz(w)),
                          double(__double2float_rd(w)),
                          double(__double2float_ru(w)),
                          double(__int2float_rn(int(bits))),
                          double(__int2float_rz(int(bits))),
                          double(__uint2float_ru(unsigned(__float_as_uint(x)))),
                          double(__ll2float_rd((long long)(bits)*12345)),
                          double(floorf(x)),
                          double(ceilf(x)),
                          double(truncf(x)),
                          double(rintf(x)),
                          double(roundf(x)),
                          double(__saturatef(x)),
                          double((signed char)(int(fminf(fmaxf(x, -300.f), 300.f)))),
                          double((unsigned short)(int(fminf(fmaxf(x, -300.f), 300.f))))};
  for (int k = 0; k < kConverted; ++k) out[i * kConverted + k] = r[k];
}

template <class To>
double rounded_to(double value, int mode, double low, double high) {
  if (std::isnan(value)) return 0;
  std::fesetround(mode);
  volatile double v = std::nearbyint(value);
  std::fesetround(FE_TONEAREST);
  if (v <= low) return double(std::numeric_limits<To>::min());
  return v >= high ? double(std::numeric_limits<To>::max()) : double(To(v));
}

float float_in(int mode, volatile double value) {
  std::fesetround(mode);
  volatile float f = float(value);
  std::fesetround(FE_TONEAREST);
  return f;
}

void host_convert(float x, double* r) {
  double w = double(x) * 1.0000000123;
  int32_t bits;
  std::memcpy(&bits, &x, 4);
  double clamped = int(std::fmin(std::fmax(x, -300.f), 300.f));
  double results[kConverted] = {rounded_to<int>(x, FE_TONEAREST, INT_MIN, INT_MAX),
                                rounded_to<int>(x, FE_TOWARDZERO, INT_MIN, INT_MAX),
                                rounded_to<int>(x, FE_DOWNWARD, INT_MIN, INT_MAX),
                                rounded_to<int>(x, FE_UPWARD, INT_MIN, INT_MAX),
                                rounded_to<unsigned>(x, FE_TONEAREST, 0, UINT_MAX),
                                rounded_to<unsigned>(x, FE_TOWARDZERO, 0, UINT_MAX),
                                rounded_to<int64_t>(x, FE_DOWNWARD, -0x1p63, 0x1p63),
                                rounded_to<uint64_t>(x, FE_UPWARD, 0, 0x1p64),
                                rounded_to<int>(w, FE_TONEAREST, INT_MIN, INT_MAX),
                                rounded_to<unsigned>(w, FE_TOWARDZERO, 0, UINT_MAX),
                                float_in(FE_TONEAREST, w),
                                float_in(FE_TOWARDZERO, w),
                                float_in(FE_DOWNWARD, w),
                                float_in(FE_UPWARD, w),
                                float_in(FE_TONEAREST, bits),
                                float_in(FE_TOWARDZERO, bits),
                                float_in(FE_UPWARD, double(uint32_t(bits))),
                                float_in(FE_DOWNWARD, double(int64_t{bits} * 12345)),
                                std::floor(x),
                                std::ceil(x),
                                std::trunc(x),
                                std::nearbyint(x),
                                std::round(x),
                                std::isnan(x) ? 0 : std::fmin(std::fmax(x, 0.f), 1.f),
                                double(int8_t(int(clamped))),
                                double(uint16_t(int(clamped)))};
  std::memcpy(r, results, sizeof results);
}

__global__ void special(const float* in, float* out) {
  float a = in[threadIdx.x / 8], b = in[threadIdx.x % 8];
  float* r = out + threadIdx.x * 16;
  r[0] = fminf(a, b);
  r[1] = fmaxf(a, b);
  r[2] = copysignf(a, b);
  r[3] = fdimf(a, b);
  r[4] = a < b;
  r[5] = !(a < b);
  r[6] = a == b;
  r[7] = a != b;
  r[8] = isnan(a) + 2 * isinf(a) + 4 * isfinite(a) + 8 * (signbit(a) != 0);
  r[9] = fmodf(a, b);
  r[10] = nextafterf(a, b);
  r[11] = !(a < b || a >= b) + 2 * (a >= b) + 4 * (a < b || a > b);
  int exponent = 0;
  r[12] = isfinite(a) ? frexpf(a, &exponent) : 0;
  r[13] = float(exponent);
  r[14] = isfinite(a) ? ldexpf(a, 5) + scalbnf(a, -3) : 0;
  r[15] = -fabsf(a);
}

void host_special(float a, float b, float* r) {
  r[0] = std::fmin(a, b), r[1] = std::fmax(a, b), r[2] = std::copysign(a, b), r[3] = std::fdim(a, b);
  r[4] = a < b, r[5] = !(a < b), r[6] = a == b, r[7] = a != b;
  r[8] = float(std::isnan(a) + 2 * std::isinf(a) + 4 * std::isfinite(a) + 8 * std::signbit(a));
  r[9] = std::fmod(a, b), r[10] = std::nextafter(a, b);
  r[11] = float(std::isunordered(a, b) + 2 * (a >= b) + 4 * (a < b || a > b));
  int exponent = 0;
  r[12] = std::isfinite(a) ? std::frexp(a, &exponent) : 0;
  r[13] = float(exponent);
  r[14] = std::isfinite(a) ? std::ldexp(a, 5) + std::ldexp(a, -3) : 0;
  r[15] = -std::fabs(a);
}

__global__ void fast(const float* in, float* out) {
  float x = in[threadIdx.x];
  float* r = out + threadIdx.x * 8;
  r[0] = __sinf(x), r[1] = __cosf(x), r[2] = __expf(x), r[3] = __logf(x);
  r[4] = __powf(x, 1.5f), r[5] = rsqrtf(x), r[6] = __fdividef(1, x), r[7] = __exp10f(x);
}

}  // namespace

TEST(float_library) {
  compare_library<float>(3e-6, "float");
}
TEST(double_library) {
  compare_library<double>(2e-14, "double");
}
TEST(float_rounding) {
  compare_rounded<float>(rounded_float, "float rounding", -75);
}
TEST(double_rounding) {
  compare_rounded<double>(rounded_double, "double rounding", -530);
}

TEST(conversions) {
  std::vector<float> in{0,      -0.f,     0.5f,      1.5f,         -0.5f,       -1.5f,
                        2.5f,   3e9f,     -3e9f,     5e9f,         1e20f,       -1e20f,
                        1e-40f, INFINITY, -INFINITY, 2147483520.f, 0.99999994f, 16777217.f};
  Random random(33);
  for (int i = 0; i < 300; ++i) in.push_back(float(std::ldexp(random.uniform(), random.below(70) - 10)));
  std::vector<double> want(in.size() * kConverted);
  for (size_t i = 0; i < in.size(); ++i) host_convert(in[i], &want[i * kConverted]);
  Buffer<float> di(in);
  Buffer<double> out(want.size());
  convert<<<10, 32>>>(di, out, int(in.size()));
  check_launch();
  expect_near(out.host(), want, 0, "conversions");
}

TEST(special_values) {
  std::vector<float> in{0, -0.f, 1.25f, -7, INFINITY, -INFINITY, NAN, 1e-41f}, want(64 * 16);
  for (int i = 0; i < 64; ++i) host_special(in[i / 8], in[i % 8], &want[i * 16]);
  Buffer<float> di(in), out(want.size());
  special<<<1, 64>>>(di, out);
  check_launch();
  expect_near(out.host(), want, 0, "special values");
}

TEST(fast_functions) {
  std::vector<float> in(32);
  std::vector<double> want;
  for (int i = 0; i < 32; ++i) {
    double x = in[i] = 0.05f + 0.09f * float(i);
    want.insert(want.end(), {std::sin(x), std::cos(x), std::exp(x), std::log(x), std::pow(x, 1.5),
                             1 / std::sqrt(x), 1 / x, std::pow(10, x)});
  }
  Buffer<float> di(in), out(want.size());
  fast<<<1, 32>>>(di, out);
  check_launch();
  expect_near(out.host(), want, 4e-6, "fast functions");
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
