// Control flow and warp collectives: divergent loops, branch tables, calls, recursion, local arrays, partial
// masks.
#include "check.h"

namespace {

constexpr unsigned kAll = 0xFFFFFFFFu;

__host__ __device__ int collatz(long long n) {
  int steps = 0;
  while (n != 1) n = n % 2 ? 3 * n + 1 : n / 2, ++steps;
  return steps;
}

__host__ __device__ int nested(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    if (i % 7 == 3) continue;
    for (int j = 0;; ++j) {
      if (j * j > i + n) break;
      if ((i + j) % 5 == 0) continue;
      sum += i * j;
      if (sum > 5000) return sum;
    }
    int spins = 0;
    do sum ^= i + spins;
    while (sum % 3 == 1 && ++spins < 6);
  }
  return sum;
}

__host__ __device__ __noinline__ unsigned switched(unsigned op, unsigned x) {
  switch (op) {
    case 0:
      return x + 17;
    case 1:
      return x * 3;
    case 2:
      return x ^ 0x1234;
    case 3:
      return x >> 3;
    case 4:
      x += 5;
      [[fallthrough]];
    case 5:
      return x * x;
    case 6:
      return ~x;
    case 7:
      return x % 11;
    case 8:
      return x / 7;
    case 9:
      return x << 9;
    case 11:
      return 1;
    default:
      return 0;
  }
}

__global__ void divergent(int* out) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  out[3 * i] = collatz(i + 1);
  out[3 * i + 1] = nested(i % 61);
  out[3 * i + 2] = int(switched(unsigned(i) % 13, unsigned(i) * 2654435761u));
}

using Function = float (*)(float);
__device__ __noinline__ float twice(float x) {
  return 2 * x;
}
__device__ __noinline__ float square(float x) {
  return x * x;
}
__device__ __noinline__ float minus_one(float x) {
  return x - 1;
}
__device__ Function table[3] = {twice, square, minus_one};

__global__ void call_by_pointer(float* out) {
  out[threadIdx.x] = table[threadIdx.x % 3](float(threadIdx.x));
}

struct Shape {
  __device__ virtual ~Shape() {}
  __device__ virtual float area() const = 0;
  __device__ virtual int corners() const { return 0; }
};
struct Circle : Shape {
  float r;
  __device__ explicit Circle(float radius) : r(radius) {}
  __device__ float area() const override { return 3 * r * r; }
};
struct Rectangle : Shape {
  float w, h;
  __device__ Rectangle(float width, float height) : w(width), h(height) {}
  __device__ float area() const override { return w * h; }
  __device__ int corners() const override { return 4; }
};

__global__ void virtual_calls(float* out) {
  float x = float(threadIdx.x);
  Shape* shape = threadIdx.x % 2 ? static_cast<Shape*>(new Circle(x)) : new Rectangle(x, 2);
  out[threadIdx.x] = shape->area() + float(shape->corners());
  delete shape;
}

__device__ __noinline__ int fibonacci(int n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
__device__ __noinline__ int ackermann(int m, int n) {
  if (m == 0) return n + 1;
  return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}
__global__ void recursion(int* out) {
  out[threadIdx.x] = fibonacci(int(threadIdx.x) % 11);
  if (threadIdx.x < 4) out[32 + threadIdx.x] = ackermann(2, int(threadIdx.x));
}

__global__ void local_arrays(const int* order, int* out) {
  int values[40];
  short small[24];
  for (int i = 0; i < 40; ++i) values[i] = i * int(threadIdx.x + 1);
  for (int i = 0; i < 24; ++i) small[i] = short(i - 3);
  int sum = 0;
  for (int i = 0; i < 40; ++i) {
    values[order[i]] += i;
    sum = sum * 3 + values[order[(i + threadIdx.x) % 40]] + small[order[i] % 24];
  }
  out[threadIdx.x] = sum;
}

__global__ void shuffles(int* out) {
  int lane = int(threadIdx.x), value = lane * 10;
  int* row = out + lane * 8;
  row[0] = __shfl_sync(kAll, value, 5);
  row[1] = __shfl_sync(kAll, value, lane + 3);
  row[2] = __shfl_up_sync(kAll, value, 3, 8);
  row[3] = __shfl_down_sync(kAll, value, 2, 16);
  row[4] = __shfl_xor_sync(kAll, value, 7);
  row[5] = __shfl_sync(kAll, value, 9, 4);
  long long wide = (long long)lane << 40 | 1;
  row[6] = int(__shfl_xor_sync(kAll, wide, 1) >> 40);
  row[7] = int(__shfl_down_sync(kAll, double(lane) + 0.5, 1) * 2);
}

__global__ void partial_masks(unsigned* out) {
  unsigned lane = threadIdx.x;
  unsigned* row = out + lane * 8;
  if (lane % 2 == 0) {
    constexpr unsigned kEven = 0x55555555u;
    row[0] = __shfl_sync(kEven, lane * 10, int(lane ^ 2));
    row[1] = __ballot_sync(kEven, lane % 3 == 0);
    row[2] = __any_sync(kEven, lane == 30) + 2 * __all_sync(kEven, lane < 31);
    row[3] = __activemask();
  } else if (lane < 16) {
    constexpr unsigned kOdd = 0x0000AAAAu;
    row[0] = __shfl_xor_sync(kOdd, lane, 2);
    row[1] = __ballot_sync(kOdd, lane > 8);
    row[2] = __all_sync(kOdd, lane > 8);
  }
  __syncwarp();
  row[4] = __match_any_sync(kAll, lane / 5);
  int same = 0;
  row[5] = __match_all_sync(kAll, 42, &same) == kAll && same;
  row[6] = __match_all_sync(kAll, lane, &same) == 0 && !same;
  if (lane >= 8) row[7] = __match_any_sync(0xFFFFFF00u, (unsigned long long)(lane % 3) << 40);
}

__global__ void early_exit(int* out) {
  if (threadIdx.x % 3 == 1) return;
  unsigned active = __activemask();
  out[threadIdx.x] = __popc(active);
  for (unsigned i = 0; i < threadIdx.x; ++i) out[threadIdx.x] += int(i);
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
__global__ void redux(int* out) {
  int lane = int(threadIdx.x), value = (lane - 10) * 3;
  out[0] = __reduce_add_sync(kAll, value);
  out[1] = __reduce_min_sync(kAll, value);
  out[2] = __reduce_max_sync(kAll, value);
  out[3] = int(__reduce_min_sync(kAll, unsigned(value)));
  out[4] = int(__reduce_or_sync(kAll, 1u << lane / 4));
  out[5] = int(__reduce_and_sync(kAll, ~(1u << lane / 4)));
  out[6] = int(__reduce_xor_sync(kAll, unsigned(lane) * 77));
  // Lanes of one warp with different member masks at the same instruction.
  unsigned peers = __match_any_sync(kAll, lane % 3);
  out[8 + lane] = __reduce_add_sync(peers, lane);
}
#else
__global__ void redux(int*) {}
#endif

}  // namespace

TEST(divergent_loops) {
  constexpr int kCount = 13 * 64;
  Buffer<int> out(kCount * 3);
  divergent<<<13, 64>>>(out);
  check_launch();
  std::vector<int> want(kCount * 3);
  for (int i = 0; i < kCount; ++i) {
    want[3 * i] = collatz(i + 1);
    want[3 * i + 1] = nested(i % 61);
    want[3 * i + 2] = int(switched(unsigned(i) % 13, unsigned(i) * 2654435761u));
  }
  expect_equal(out.host(), want, "divergent loops");
}

TEST(function_pointers) {
  Buffer<float> out(64);
  call_by_pointer<<<1, 64>>>(out);
  check_launch();
  std::vector<float> want(64);
  for (int i = 0; i < 64; ++i) want[i] = float(i % 3 == 0 ? 2 * i : i % 3 == 1 ? i * i : i - 1);
  expect_near(out.host(), want, 0, "calls through a table");
}

TEST(virtual_functions) {
  Buffer<float> out(64);
  virtual_calls<<<1, 64>>>(out);
  check_launch();
  std::vector<float> want(64);
  for (int i = 0; i < 64; ++i) want[i] = float(i % 2 ? 3 * i * i : 2 * i + 4);
  expect_near(out.host(), want, 0, "virtual calls");
}

TEST(recursive_functions) {
  Buffer<int> out(36);
  recursion<<<1, 32>>>(out);
  check_launch();
  int numbers[11] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55};
  std::vector<int> want(36);
  for (int i = 0; i < 32; ++i) want[i] = numbers[i % 11];
  for (int i = 0; i < 4; ++i) want[32 + i] = 2 * i + 3;
  expect_equal(out.host(), want, "recursion");
}

TEST(local_memory) {
  std::vector<int> order(40), want(96);
  for (int i = 0; i < 40; ++i) order[i] = i * 7 % 40;
  for (int t = 0; t < 96; ++t) {
    std::vector<int> values(40);
    for (int i = 0; i < 40; ++i) values[i] = i * (t + 1);
    unsigned sum = 0;
    for (int i = 0; i < 40; ++i) {
      values[order[i]] += i;
      sum = sum * 3 + unsigned(values[order[(i + t) % 40]] + order[i] % 24 - 3);
    }
    want[t] = int(sum);
  }
  Buffer<int> d(order), out(96);
  local_arrays<<<1, 96>>>(d, out);
  check_launch();
  expect_equal(out.host(), want, "local arrays");
}

TEST(shuffle_modes) {
  Buffer<int> out(32 * 8);
  shuffles<<<1, 32>>>(out);
  check_launch();
  std::vector<int> want;
  for (int l = 0; l < 32; ++l) {
    want.insert(want.end(),
                {50, (l + 3) % 32 * 10, (l % 8 >= 3 ? l - 3 : l) * 10, (l % 16 < 14 ? l + 2 : l) * 10,
                 (l ^ 7) * 10, (l / 4 * 4 + 1) * 10, l ^ 1, 2 * (l < 31 ? l + 1 : l) + 1});
  }
  expect_equal(out.host(), want, "shuffles");
}

TEST(masks) {
  Buffer<unsigned> out(32 * 8);
  partial_masks<<<1, 32>>>(out);
  check_launch();
  std::vector<unsigned> got = out.host();
  for (unsigned l = 0; l < 32; ++l) {
    const unsigned* row = &got[l * 8];
    unsigned even = 0, odd = 0, fifths = 0, thirds = 0;
    for (unsigned i = 0; i < 32; ++i) {
      if (i % 2 == 0 && i % 3 == 0) even |= 1u << i;
      if (i % 2 == 1 && i > 8 && i < 16) odd |= 1u << i;
      if (i / 5 == l / 5) fifths |= 1u << i;
      if (i >= 8 && i % 3 == l % 3) thirds |= 1u << i;
    }
    if (l % 2 == 0) {
      EXPECT(row[0] == (l ^ 2) * 10 && row[1] == even && row[2] == 3);
      EXPECT((row[3] & 1u << l) != 0);
    } else if (l < 16) {
      EXPECT(row[0] == (l ^ 2) && row[1] == odd && row[2] == 0);
    }
    EXPECT(row[4] == fifths && row[5] == 1 && row[6] == 1);
    EXPECT(l < 8 || row[7] == thirds);
  }
}

TEST(early_exits) {
  Buffer<int> out(50);
  early_exit<<<1, 50>>>(out);
  check_launch();
  std::vector<int> got = out.host();
  for (int i = 0; i < 50; ++i) {
    int warp_lanes = 0;
    for (int j = i / 32 * 32; j < 50 && j < i / 32 * 32 + 32; ++j) warp_lanes += j % 3 != 1;
    int rest = got[i] - i * (i - 1) / 2;
    EXPECT(i % 3 == 1 ? got[i] == 0 : rest >= 1 && rest <= warp_lanes);
  }
}

TEST_SINCE(warp_reductions, 80) {
  Buffer<int> out(40);
  redux<<<1, 32>>>(out);
  check_launch();
  std::vector<int> got = out.host();
  unsigned mixed = 0;
  int sums[3] = {0, 0, 0};
  for (int i = 0; i < 32; ++i) mixed ^= unsigned(i) * 77, sums[i % 3] += i;
  EXPECT(got[0] == 3 * (496 - 320) && got[1] == -30 && got[2] == 63 && got[3] == 0);
  EXPECT(got[4] == 0xFF && got[5] == int(0xFFFFFF00u) && got[6] == int(mixed));
  for (int i = 0; i < 32; ++i) EXPECT(got[8 + i] == sums[i % 3]);
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
