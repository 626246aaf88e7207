// Integer instructions against plain C++ on the host: wide products, divisions, bit counts, permutes, carry
// chains.
#include "check.h"

// The reference of each operation for the host; the device uses the intrinsic.
inline uint32_t reverse_bits(uint32_t x) {
  uint32_t r = 0;
  for (int i = 0; i < 32; ++i) r |= (x >> i & 1) << (31 - i);
  return r;
}
inline int leading_zeros(uint64_t x, int width) {
  int n = 0;
  while (n < width && (x >> (width - 1 - n) & 1) == 0) ++n;
  return n;
}
inline int ones(uint64_t x) {
  return x == 0 ? 0 : int(x & 1) + ones(x >> 1);
}
inline int first_set(uint64_t x) {
  for (int i = 0; i < 64; ++i)
    if (x >> i & 1) return i + 1;
  return 0;
}
inline uint32_t permute(uint32_t a, uint32_t b, uint32_t selector) {
  uint64_t bytes = uint64_t{b} << 32 | a;
  uint32_t r = 0;
  for (int i = 0; i < 4; ++i) r |= uint32_t(bytes >> (8 * (selector >> (4 * i) & 7)) & 0xFF) << (8 * i);
  return r;
}
inline int dot4(uint32_t a, uint32_t b, int c) {
  for (int i = 0; i < 4; ++i) c += int8_t(a >> (8 * i)) * int8_t(b >> (8 * i));
  return c;
}
inline uint32_t udot4(uint32_t a, uint32_t b, uint32_t c) {
  for (int i = 0; i < 4; ++i) c += uint8_t(a >> (8 * i)) * uint8_t(b >> (8 * i));
  return c;
}
inline int dot2(uint32_t a, uint32_t b, int c, bool high) {
  for (int i = 0; i < 2; ++i) c += int16_t(a >> (16 * i)) * int8_t(b >> (8 * (i + 2 * high)));
  return c;
}

namespace {

constexpr int kResults = 48;

// The same sources for both sides; operations that have an intrinsic are chosen by __CUDA_ARCH__.
#ifdef __CUDA_ARCH__
#define SIDE(device, host) (device)
#else
#define SIDE(device, host) (host)
#endif

__host__ __device__ void operations(uint32_t a, uint32_t b, uint32_t c, uint64_t x, uint64_t y,
                                    uint64_t* out) {
  auto sa = int32_t(a), sb = int32_t(b);
  auto sx = int64_t(x), sy = int64_t(y);
  int k = 0;
  out[k++] = x * y;
  out[k++] = y ? x / y : 1;
  out[k++] = y ? x % y : 2;
  out[k++] = sy && !(sy == -1 && sx == INT64_MIN) ? uint64_t(sx / sy) : 3;
  out[k++] = sy && !(sy == -1 && sx == INT64_MIN) ? uint64_t(sx % sy) : 4;
  out[k++] = b ? a / b : 5;
  out[k++] = sb && !(sb == -1 && sa == INT32_MIN) ? uint64_t(sa / sb) : 6;
  out[k++] = sb && !(sb == -1 && sa == INT32_MIN) ? uint64_t(sa % sb) : 7;
  out[k++] = a / 7 + a % 10 + uint32_t(sa / 9);
  out[k++] = uint64_t{a} * b;
  out[k++] = uint64_t(int64_t{sa} * sb);
  out[k++] = a * b + c;
  out[k++] = SIDE(__umulhi(a, b), uint32_t(uint64_t{a} * b >> 32));
  out[k++] = uint64_t(SIDE(__mulhi(sa, sb), int32_t(int64_t{sa} * sb >> 32)));
  out[k++] = SIDE(__umul64hi(x, y), uint64_t((unsigned __int128)(x)*y >> 64));
  out[k++] = uint64_t(SIDE(__mul64hi(sx, sy), int64_t((__int128)(sx)*sy >> 64)));
  out[k++] = uint64_t(SIDE(__mul24(sa, sb), int32_t(uint32_t((sa << 8 >> 8) * int64_t{sb << 8 >> 8}))));
  out[k++] = uint64_t(SIDE(__popc(a), ones(a)) + 100 * SIDE(__popcll(x), ones(x)));
  out[k++] = uint64_t(SIDE(__clz(sa), leading_zeros(a, 32)) + 100 * SIDE(__clzll(sx), leading_zeros(x, 64)));
  out[k++] = uint64_t(SIDE(__ffs(sa), first_set(a)) + 100 * SIDE(__ffsll(sx), first_set(x)));
  out[k++] = SIDE(__brev(a), reverse_bits(a));
  out[k++] = SIDE(__brevll(x), uint64_t{reverse_bits(uint32_t(x))} << 32 | reverse_bits(uint32_t(x >> 32)));
  out[k++] = SIDE(__byte_perm(a, b, c & 0x7777), permute(a, b, c & 0x7777));
  out[k++] = SIDE(__byte_perm(a, b, 0x3210), a);
  out[k++] = SIDE(__funnelshift_l(a, b, c), uint32_t((uint64_t{b} << 32 | a) << (c & 31) >> 32));
  out[k++] = SIDE(__funnelshift_r(a, b, c), uint32_t((uint64_t{b} << 32 | a) >> (c & 31)));
  out[k++] = SIDE(__funnelshift_lc(a, b, c), c >= 32 ? a : uint32_t((uint64_t{b} << 32 | a) << c >> 32));
  out[k++] = SIDE(__funnelshift_rc(a, b, c), c >= 32 ? b : uint32_t((uint64_t{b} << 32 | a) >> c));
  out[k++] = uint64_t(SIDE(__dp4a(sa, sb, int(c)), dot4(a, b, int(c))));
  out[k++] = SIDE(__dp4a(a, b, c), udot4(a, b, c));
  out[k++] = uint64_t(SIDE(__dp2a_lo(sa, sb, int(c)), dot2(a, b, int(c), false)));
  out[k++] = uint64_t(SIDE(__dp2a_hi(sa, sb, int(c)), dot2(a, b, int(c), true)));
  out[k++] = SIDE(__sad(sa, sb, c), uint32_t(std::llabs(int64_t{sa} - sb)) + c);
  out[k++] = SIDE(__uhadd(a, b), uint32_t((uint64_t{a} + b) >> 1));
  out[k++] = uint64_t(SIDE(__rhadd(sa, sb), int32_t((int64_t{sa} + sb + 1) >> 1)));
  out[k++] = (a & b) | (~a & c);
  out[k++] = (a ^ b ^ c) + ((a & b) | (b & c) | (a & c));
  out[k++] = uint64_t(sa >> (c & 31)) ^ a << (b & 31) ^ x >> (c & 63) ^ uint64_t(sx >> (b & 63));
  out[k++] = (a >> 5 & 0x3FF) | uint64_t(int64_t(sx << 13) >> 40) << 10;
  out[k++] = uint64_t(sa < sb ? sa : sb) ^ (x > y ? x : y) ^ uint64_t(sx < sy ? sx : sy) ^ (a > b ? a : b);
  out[k++] = uint64_t(sa < 0 ? -int64_t{sa} : sa) + uint64_t(int8_t(a)) + uint64_t(int16_t(b)) + uint8_t(c);
  out[k++] =
      uint64_t(short(a) * short(b)) ^ uint16_t(a >> 3) * 5u ^ uint64_t(uint16_t(uint16_t(a) + uint16_t(b)));
  out[k++] = uint64_t((unsigned __int128)(x) + ((unsigned __int128)(y) << 64 | x) * 3 >> 63);
  out[k++] = uint64_t(((__int128)(sx)*sy - sa) >> 37);
  for (; k < kResults; ++k) out[k] = uint64_t(k);
}

__global__ void run_operations(const uint64_t* in, uint64_t* out, int n) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  const uint64_t* v = in + i * 5;
  operations(uint32_t(v[0]), uint32_t(v[1]), uint32_t(v[2]), v[3], v[4], out + size_t(i) * kResults);
}

__global__ void assembly(const uint32_t* in, uint32_t* out) {
  int i = int(threadIdx.x);
  const uint32_t* v = in + i * 8;
  uint32_t* r = out + i * 20;
  asm("add.cc.u32 %0, %4, %8;\n\t"
      "addc.cc.u32 %1, %5, %9;\n\t"
      "addc.cc.u32 %2, %6, %10;\n\t"
      "addc.u32 %3, %7, %11;"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[3]), "r"(v[4]), "r"(v[5]), "r"(v[6]), "r"(v[7]));
  asm("sub.cc.u32 %0, %3, %6;\n\t"
      "subc.cc.u32 %1, %4, %7;\n\t"
      "subc.u32 %2, %5, %8;"
      : "=r"(r[4]), "=r"(r[5]), "=r"(r[6])
      : "r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[4]), "r"(v[5]), "r"(v[6]));
  asm("{\n\t.reg .u32 low, mid;\n\t"
      "mul.lo.u32 low, %3, %4;\n\t"
      "mad.lo.cc.u32 %0, %3, %4, %5;\n\t"
      "madc.hi.cc.u32 %1, %3, %4, %5;\n\t"
      "addc.u32 %2, 0, low;\n\t}"
      : "=r"(r[7]), "=r"(r[8]), "=r"(r[9])
      : "r"(v[0]), "r"(v[1]), "r"(v[2]));
  asm("bfe.u32 %0, %1, 5, 11;" : "=r"(r[10]) : "r"(v[0]));
  asm("bfe.s32 %0, %1, 7, 9;" : "=r"(r[11]) : "r"(v[1]));
  asm("bfi.b32 %0, %1, %2, 4, 12;" : "=r"(r[12]) : "r"(v[0]), "r"(v[1]));
  asm("lop3.b32 %0, %1, %2, %3, 0xCA;" : "=r"(r[13]) : "r"(v[0]), "r"(v[1]), "r"(v[2]));
  asm("bfind.u32 %0, %1;" : "=r"(r[14]) : "r"(v[3]));
  asm("prmt.b32.f4e %0, %1, %2, %3;" : "=r"(r[15]) : "r"(v[0]), "r"(v[1]), "r"(v[2]));
  asm("prmt.b32 %0, %1, %2, 0xB809;" : "=r"(r[16]) : "r"(v[0]), "r"(v[1]));
  asm("szext.wrap.u32 %0, %1, 12;" : "=r"(r[17]) : "r"(v[0]));
  asm("bmsk.clamp.b32 %0, %1, 5;" : "=r"(r[18]) : "r"(v[1] & 15));
  asm("fns.b32 %0, %1, 0, 2;" : "=r"(r[19]) : "r"(v[2] | 3));
}

}  // namespace

TEST(integer_operations) {
  constexpr int kCount = 300;
  Random random(21);
  const uint64_t edges[8] = {0,     1,          0xFFFFFFFFull, 0x80000000ull, 0x7FFFFFFFull,
                             ~0ull, 1ull << 63, 0x100000001ull};
  std::vector<uint64_t> in(kCount * 5), want(size_t(kCount) * kResults);
  for (uint64_t& v : in) v = random.below(4) ? random.bits() >> random.below(60) : edges[random.below(8)];
  for (int i = 0; i < kCount; ++i) {
    const uint64_t* v = &in[i * 5];
    operations(uint32_t(v[0]), uint32_t(v[1]), uint32_t(v[2]), v[3], v[4], &want[size_t(i) * kResults]);
  }
  Buffer<uint64_t> di(in), out(want.size());
  run_operations<<<5, 64>>>(di, out, kCount);
  check_launch();
  std::vector<uint64_t> got = out.host();
  for (size_t i = 0; i < got.size(); ++i) {
    const uint64_t* v = &in[i / kResults * 5];
    if (got[i] != want[i])
      fail("operation %zu of %llx %llx %llx %llx %llx: %llx, expected %llx", i % kResults,
           (long long)(uint32_t(v[0])), (long long)(uint32_t(v[1])), (long long)(uint32_t(v[2])),
           (long long)(v[3]), (long long)(v[4]), (long long)(got[i]), (long long)(want[i]));
  }
}

TEST(integer_assembly) {
  Random random(22);
  std::vector<uint32_t> in(32 * 8);
  for (uint32_t& v : in) v = random.below(5) ? uint32_t(random.bits()) : 0xFFFFFFFFu;
  Buffer<uint32_t> di(in), out(32 * 20);
  assembly<<<1, 32>>>(di, out);
  check_launch();
  std::vector<uint32_t> got = out.host();
  for (int i = 0; i < 32; ++i) {
    const uint32_t *v = &in[i * 8], *r = &got[i * 20];
    using u128 = unsigned __int128;
    auto join = [](const uint32_t* p, int n) {
      u128 value = 0;
      for (int k = n - 1; k >= 0; --k) value = value << 32 | p[k];
      return value;
    };
    EXPECT(join(r, 4) == u128(join(v, 4) + join(v + 4, 4)));
    EXPECT(join(r + 4, 3) == ((join(v, 3) - join(v + 4, 3)) & (u128(1) << 96) - 1));
    u128 mad = u128(uint64_t{v[0]} * v[1]) + (u128(v[2]) << 32 | v[2]);
    EXPECT(join(r + 7, 2) == uint64_t(mad) && r[9] == uint32_t(mad >> 64) + v[0] * v[1]);
    EXPECT(r[10] == (v[0] >> 5 & 0x7FF) && int(r[11]) == int(v[1] << 16) >> 23);
    EXPECT(r[12] == ((v[1] & ~0xFFF0u) | (v[0] & 0xFFF) << 4));
    EXPECT(r[13] == ((v[0] & v[1]) | (~v[0] & v[2])));
    EXPECT(r[14] == (v[3] ? 31u - leading_zeros(v[3], 32) : 0xFFFFFFFFu));
    EXPECT(r[15] == uint32_t((uint64_t{v[1]} << 32 | v[0]) >> 8 * (v[2] & 3)));
    uint32_t sign0 = v[0] & 0x80 ? 0xFF : 0, sign1 = v[0] & 0x8000 ? 0xFF : 0, sign3 = v[0] >> 31 ? 0xFF : 0;
    EXPECT(r[16] == (sign3 << 24 | sign0 << 16 | (v[0] & 0xFF) << 8 | sign1));
    EXPECT(r[17] == (v[0] & 0xFFF) && r[18] == 0x1Fu << (v[1] & 15));
    EXPECT(r[19] == 1);
  }
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
