// mma.sync and wmma.mma: D = A * B + C on the fragments of a warp.
//
// The operands are gathered from the lanes' registers into small row-major matrices, multiplied with vectors
// along n, and spread again. Arithmetic, in the order it happens: floating-point sums start from C and add
// one product after the other, k ascending, each with a single rounding (products of f16, bf16, tf32 and fp8
// are exact in fp32), and an f16 result is rounded once, at the end. Real tensor cores align and truncate
// sums of 4 to 16 products in ways that differ between generations, so tests compare with a tolerance. tf32
// operands lose their low 13 bits. Integer sums are exact and wrap, or saturate once with .satfinite.
#include "core/block.h"
#include "core/observe.h"
#include "ops/simd_float.h"
#include "ops/tensor_support.h"

namespace vgpu::VGPU_ISA {
namespace {

using namespace tensor_flag;

// How a register's 8 rows become numbers: unpack() writes 8 rows of 4 * kPacked values, `stride` values
// apart. `high` is the operand's kSigned flag.
struct Tf32 {
  using Value = float;
  using Lane = uint32_t;
  static constexpr uint32_t kPacked = 1;
  static VGPU_FORCE void unpack(const Lane* reg, Value* out, uint32_t stride, bool) {
    for (uint32_t g = 0; g < 8; ++g)
      for (uint32_t t = 0; t < 4; ++t) out[g * stride + t] = bits_as<float>(reg[g * 4 + t] & 0xFFFFE000u);
  }
};

struct Half {
  using Value = float;
  using Lane = uint32_t;
  static constexpr uint32_t kPacked = 2;
  static VGPU_FORCE void unpack(const Lane* reg, Value* out, uint32_t stride, bool) {
    for (uint32_t g = 0; g < 8; ++g) {
      const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(reg + g * 4));
      _mm256_storeu_ps(out + g * stride, _mm256_cvtph_ps(row));
    }
  }
};

struct Bfloat {
  using Value = float;
  using Lane = uint32_t;
  static constexpr uint32_t kPacked = 2;
  static VGPU_FORCE void unpack(const Lane* reg, Value* out, uint32_t stride, bool) {
    for (uint32_t g = 0; g < 8; ++g) {
      const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(reg + g * 4));
      const __m256i bits = _mm256_slli_epi32(_mm256_cvtepu16_epi32(row), 16);
      _mm256_storeu_ps(out + g * stride, _mm256_castsi256_ps(bits));
    }
  }
};

// e5m2 is the upper byte of an f16; e4m3 is an f16 with one exponent bit less, so a factor of 256, and no
// infinity.
struct Float8 {
  using Value = float;
  using Lane = uint32_t;
  static constexpr uint32_t kPacked = 4;
  static VGPU_FORCE void unpack(const Lane* reg, Value* out, uint32_t stride, bool e5m2) {
    const __m256i sign = _mm256_set1_epi16(INT16_MIN), rest = _mm256_set1_epi16(0x7F);
    for (uint32_t g = 0; g < 8; ++g) {
      const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(reg + g * 4));
      const __m256i wide = _mm256_cvtepu8_epi16(row);
      const __m256i high = _mm256_slli_epi16(wide, 8), magnitude = _mm256_and_si256(wide, rest);
      __m256i half = high;
      if (!e5m2) {
        half = _mm256_or_si256(_mm256_and_si256(high, sign), _mm256_slli_epi16(magnitude, 7));
        const __m256i nan = _mm256_cmpeq_epi16(magnitude, rest);
        half = _mm256_or_si256(half, _mm256_and_si256(nan, _mm256_set1_epi16(0x7E00)));
      }
      const __m256 scale = _mm256_set1_ps(e5m2 ? 1.0f : 256.0f);
      const __m256 low8 = _mm256_cvtph_ps(_mm256_castsi256_si128(half));
      const __m256 high8 = _mm256_cvtph_ps(_mm256_extracti128_si256(half, 1));
      _mm256_storeu_ps(out + g * stride, _mm256_mul_ps(low8, scale));
      _mm256_storeu_ps(out + g * stride + 8, _mm256_mul_ps(high8, scale));
    }
  }
};

struct Double {
  using Value = double;
  using Lane = double;
  static constexpr uint32_t kPacked = 1;
  static VGPU_FORCE void unpack(const Lane* reg, Value* out, uint32_t stride, bool) {
    for (uint32_t g = 0; g < 8; ++g) memcpy(out + g * stride, reg + g * 4, 4 * sizeof(double));
  }
};

// Integers of 8, 4 or 1 bits. One-bit values stand for -1 and +1 (xor) or 0 and 1 (and): see finish().
template <uint32_t kBits>
struct Integer {
  using Value = uint32_t;
  using Lane = uint32_t;
  static constexpr uint32_t kPacked = 32 / kBits;
  static VGPU_FORCE void unpack(const Lane* reg, Value* out, uint32_t stride, bool is_signed) {
    for (uint32_t g = 0; g < 8; ++g) {
      for (uint32_t i = 0; i < 4 * kPacked; ++i) {
        const uint32_t bits = reg[g * 4 + i / kPacked] << (kPacked - 1 - i % kPacked) * kBits;
        const int32_t value = static_cast<int32_t>(bits) >> (32 - kBits);
        out[g * stride + i] = is_signed ? static_cast<uint32_t>(value) : bits >> (32 - kBits);
      }
    }
  }
};

template <class V>
struct Vector;
template <>
struct Vector<float> {
  using Type = __m256;
  static constexpr uint32_t kWidth = 8;
  static VGPU_FORCE Type load(const float* p) { return _mm256_loadu_ps(p); }
  static VGPU_FORCE void store(float* p, Type v) { _mm256_storeu_ps(p, v); }
  static VGPU_FORCE Type multiply_add(float a, Type b, Type c) {
    return _mm256_fmadd_ps(_mm256_set1_ps(a), b, c);
  }
};
template <>
struct Vector<double> {
  using Type = __m256d;
  static constexpr uint32_t kWidth = 4;
  static VGPU_FORCE Type load(const double* p) { return _mm256_loadu_pd(p); }
  static VGPU_FORCE void store(double* p, Type v) { _mm256_storeu_pd(p, v); }
  static VGPU_FORCE Type multiply_add(double a, Type b, Type c) {
    return _mm256_fmadd_pd(_mm256_set1_pd(a), b, c);
  }
};
template <>
struct Vector<uint32_t> {
  using Type = __m256i;
  static constexpr uint32_t kWidth = 8;
  static VGPU_FORCE Type load(const uint32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static VGPU_FORCE void store(uint32_t* p, Type v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  static VGPU_FORCE Type multiply_add(uint32_t a, Type b, Type c) {
    return _mm256_add_epi32(_mm256_mullo_epi32(_mm256_set1_epi32(static_cast<int32_t>(a)), b), c);
  }
};

// acc (m x n) += a (m x k) * b (k x n), eight rows at a time so that their sums stay in registers.
template <class V, uint32_t M, uint32_t N, uint32_t K>
VGPU_INLINE void multiply(const V* a, const V* b, V* acc) {
  using Simd = Vector<V>;
  for (uint32_t row = 0; row < M; row += 8) {
    for (uint32_t n = 0; n < N; n += Simd::kWidth) {
      typename Simd::Type sum[8];
      for (uint32_t r = 0; r < 8; ++r) sum[r] = Simd::load(acc + (row + r) * N + n);
      for (uint32_t k = 0; k < K; ++k) {
        const typename Simd::Type bk = Simd::load(b + k * N + n);
        for (uint32_t r = 0; r < 8; ++r) sum[r] = Simd::multiply_add(a[(row + r) * K + k], bk, sum[r]);
      }
      for (uint32_t r = 0; r < 8; ++r) Simd::store(acc + (row + r) * N + n, sum[r]);
    }
  }
}

// 8 rows of `width` values, a multiple of 4, become columns of `to`, whose rows are `stride` values long.
template <class V>
VGPU_INLINE void transpose(const V* from, uint32_t width, V* to, uint32_t stride) {
  if constexpr (sizeof(V) == 4) {
    const float* in = reinterpret_cast<const float*>(from);
    float* out = reinterpret_cast<float*>(to);
    for (uint32_t column = 0; column < width; column += 4) {
      for (uint32_t row = 0; row < 8; row += 4) {
        __m128 r[4];
        for (uint32_t i = 0; i < 4; ++i) r[i] = _mm_loadu_ps(in + (row + i) * width + column);
        _MM_TRANSPOSE4_PS(r[0], r[1], r[2], r[3]);
        for (uint32_t i = 0; i < 4; ++i) _mm_storeu_ps(out + (column + i) * stride + row, r[i]);
      }
    }
  } else {
    for (uint32_t row = 0; row < 8; ++row)
      for (uint32_t column = 0; column < width; ++column)
        to[column * stride + row] = from[row * width + column];
  }
}

template <class F, uint32_t M, uint32_t K>
VGPU_INLINE void load_a(Warp& w, const Ref* refs, bool high, typename F::Value* a) {
  constexpr uint32_t kWidth = 4 * F::kPacked;
  for (uint32_t r = 0; r < M * K / (8 * kWidth); ++r) {
    const TileOrigin at = tile_of_a(M, K, kWidth, r);
    F::unpack(lanes<typename F::Lane>(w, refs[r]), a + at.row * K + at.column, K, high);
  }
}

template <class F, uint32_t N, uint32_t K>
VGPU_INLINE void load_b(Warp& w, const Ref* refs, bool high, typename F::Value* b) {
  constexpr uint32_t kWidth = 4 * F::kPacked;
  typename F::Value tile[8 * kWidth];
  for (uint32_t r = 0; r < N * K / (8 * kWidth); ++r) {
    const TileOrigin at = tile_of_b(K, kWidth, r);
    F::unpack(lanes<typename F::Lane>(w, refs[r]), tile, kWidth, high);
    transpose(tile, kWidth, b + at.column * N + at.row, N);
  }
}

template <class V>
VGPU_INLINE void interleave(const V* even, const V* odd, V* out, uint32_t stride) {
  for (uint32_t g = 0; g < 8; ++g) {
    if constexpr (sizeof(V) == 4) {
      const __m128 x = _mm_loadu_ps(reinterpret_cast<const float*>(even + g * 4));
      const __m128 y = _mm_loadu_ps(reinterpret_cast<const float*>(odd + g * 4));
      float* row = reinterpret_cast<float*>(out + g * stride);
      _mm_storeu_ps(row, _mm_unpacklo_ps(x, y));
      _mm_storeu_ps(row + 4, _mm_unpackhi_ps(x, y));
    } else {
      for (uint32_t t = 0; t < 4; ++t) {
        out[g * stride + 2 * t] = even[g * 4 + t];
        out[g * stride + 2 * t + 1] = odd[g * 4 + t];
      }
    }
  }
}

template <class V>
VGPU_INLINE void separate(const V* in, uint32_t stride, V* even, V* odd) {
  for (uint32_t g = 0; g < 8; ++g) {
    if constexpr (sizeof(V) == 4) {
      const float* row = reinterpret_cast<const float*>(in + g * stride);
      const __m128 x = _mm_loadu_ps(row), y = _mm_loadu_ps(row + 4);
      _mm_storeu_ps(reinterpret_cast<float*>(even + g * 4), _mm_shuffle_ps(x, y, 0x88));
      _mm_storeu_ps(reinterpret_cast<float*>(odd + g * 4), _mm_shuffle_ps(x, y, 0xDD));
    } else {
      for (uint32_t t = 0; t < 4; ++t) {
        even[g * 4 + t] = in[g * stride + 2 * t];
        odd[g * 4 + t] = in[g * stride + 2 * t + 1];
      }
    }
  }
}

template <class V, uint32_t M, uint32_t N>
VGPU_INLINE void load_c(Warp& w, const Ref* refs, bool half, V* c) {
  for (uint32_t tile = 0; tile < M * N / 64; ++tile) {
    const TileOrigin at = tile_of_c(M, N, tile);
    V* out = c + at.row * N + at.column;
    if constexpr (sizeof(V) == 4) {
      if (half) {
        Half::unpack(lanes<uint32_t>(w, refs[tile]), reinterpret_cast<float*>(out), N, false);
        continue;
      }
    }
    interleave(lanes<V>(w, refs[2 * tile]), lanes<V>(w, refs[2 * tile + 1]), out, N);
  }
}

template <class V, uint32_t M, uint32_t N>
VGPU_INLINE void store_d(Warp& w, const Ref* refs, bool half, const V* d) {
  for (uint32_t tile = 0; tile < M * N / 64; ++tile) {
    const TileOrigin at = tile_of_c(M, N, tile);
    const V* in = d + at.row * N + at.column;
    if constexpr (sizeof(V) == 4) {
      if (half) {
        float rows[64];
        uint16_t packed[64];
        for (uint32_t g = 0; g < 8; ++g) memcpy(rows + g * 8, in + g * N, 8 * sizeof(float));
        float_to_half<_MM_FROUND_TO_NEAREST_INT>(packed, rows);
        float_to_half<_MM_FROUND_TO_NEAREST_INT>(packed + kLanes, rows + kLanes);
        uint32_t words[kLanes];
        memcpy(words, packed, sizeof(words));
        store_register(w, refs[tile], words);
        continue;
      }
    }
    V even[kLanes], odd[kLanes];
    separate(in, N, even, odd);
    store_register(w, refs[2 * tile], even);
    store_register(w, refs[2 * tile + 1], odd);
  }
}

// Adds C to the integer products. With xor.popc the values were -1 and +1, whose products sum to k - 2 *
// popc.
template <uint32_t kBits, uint32_t kCount, uint32_t K>
VGPU_INLINE void finish(uint32_t flags, const uint32_t* c, uint32_t* acc) {
  const bool saturate = (flags & flag::kSat) != 0;
  const bool differing = kBits == 1 && (flags & kXor) != 0;
  for (uint32_t i = 0; i < kCount; ++i) {
    const int32_t dot = static_cast<int32_t>(differing ? (K - acc[i]) / 2 : acc[i]);
    const int64_t sum = int64_t{dot} + static_cast<int32_t>(c[i]);
    const int64_t limited = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
    acc[i] = static_cast<uint32_t>(saturate ? limited : sum);
  }
}

template <class F>
constexpr uint32_t kIntegerBits = 0;
template <uint32_t kBits>
constexpr uint32_t kIntegerBits<Integer<kBits>> = kBits;

// Refs at inst.extra: the inst.count of D, then those of A, B and C, which begin where the bytes of inst.imm
// say.
template <class F, uint32_t M, uint32_t N, uint32_t K>
Status mma(Warp& w, const Inst& inst) {
  using V = typename F::Value;
  if (!whole_warp(w, inst)) return Status::Blocked;
  alignas(64) V a[M * K], b[K * N], acc[M * N];
  const Ref* d = w.refs + inst.extra;
  load_a<F, M, K>(w, d + (inst.imm & 255), (inst.flags & kSignedA) != 0, a);
  load_b<F, N, K>(w, d + (inst.imm >> 8 & 255), (inst.flags & kSignedB) != 0, b);
  const Ref* c_refs = d + (inst.imm >> 16 & 255);
  if constexpr (kIntegerBits<F> != 0) {
    alignas(64) V c[M * N];
    load_c<V, M, N>(w, c_refs, false, c);
    if (kIntegerBits<F> == 1 && (inst.flags & kXor) != 0) {
      for (V& x : a) x = 2 * x - 1;
      for (V& x : b) x = 2 * x - 1;
    }
    memset(acc, 0, sizeof(acc));
    multiply<V, M, N, K>(a, b, acc);
    finish<kIntegerBits<F>, M * N, K>(inst.flags, c, acc);
  } else {
    load_c<V, M, N>(w, c_refs, (inst.flags & kHalfC) != 0, acc);
    multiply<V, M, N, K>(a, b, acc);
  }
  store_d<V, M, N>(w, d, (inst.flags & kHalfD) != 0, acc);
  Observer* observer = w.block->launch->observer;
  if (observer != nullptr) observer->mma(w, inst, uint64_t{2} * M * N * K);
  return Status::Next;
}

}  // namespace

const HandlerEntry kMmaHandlers[] = {
    {"mma.f16.m16n8k8", mma<Half, 16, 8, 8>},          {"mma.f16.m16n8k16", mma<Half, 16, 8, 16>},
    {"mma.f16.m16n16k16", mma<Half, 16, 16, 16>},      {"mma.f16.m32n8k16", mma<Half, 32, 8, 16>},
    {"mma.f16.m8n32k16", mma<Half, 8, 32, 16>},        {"mma.bf16.m16n8k8", mma<Bfloat, 16, 8, 8>},
    {"mma.bf16.m16n8k16", mma<Bfloat, 16, 8, 16>},     {"mma.bf16.m16n16k16", mma<Bfloat, 16, 16, 16>},
    {"mma.bf16.m32n8k16", mma<Bfloat, 32, 8, 16>},     {"mma.bf16.m8n32k16", mma<Bfloat, 8, 32, 16>},
    {"mma.tf32.m16n8k4", mma<Tf32, 16, 8, 4>},         {"mma.tf32.m16n8k8", mma<Tf32, 16, 8, 8>},
    {"mma.tf32.m16n16k8", mma<Tf32, 16, 16, 8>},       {"mma.fp8.m16n8k16", mma<Float8, 16, 8, 16>},
    {"mma.fp8.m16n8k32", mma<Float8, 16, 8, 32>},      {"mma.f64.m8n8k4", mma<Double, 8, 8, 4>},
    {"mma.f64.m16n8k4", mma<Double, 16, 8, 4>},        {"mma.f64.m16n8k8", mma<Double, 16, 8, 8>},
    {"mma.f64.m16n8k16", mma<Double, 16, 8, 16>},      {"mma.i8.m8n8k16", mma<Integer<8>, 8, 8, 16>},
    {"mma.i8.m16n8k16", mma<Integer<8>, 16, 8, 16>},   {"mma.i8.m16n8k32", mma<Integer<8>, 16, 8, 32>},
    {"mma.i8.m16n16k16", mma<Integer<8>, 16, 16, 16>}, {"mma.i8.m32n8k16", mma<Integer<8>, 32, 8, 16>},
    {"mma.i8.m8n32k16", mma<Integer<8>, 8, 32, 16>},   {"mma.i4.m8n8k32", mma<Integer<4>, 8, 8, 32>},
    {"mma.i4.m16n8k32", mma<Integer<4>, 16, 8, 32>},   {"mma.i4.m16n8k64", mma<Integer<4>, 16, 8, 64>},
    {"mma.b1.m8n8k128", mma<Integer<1>, 8, 8, 128>},   {"mma.b1.m16n8k128", mma<Integer<1>, 16, 8, 128>},
    {"mma.b1.m16n8k256", mma<Integer<1>, 16, 8, 256>}, {nullptr, nullptr},
};

}  // namespace vgpu::VGPU_ISA
