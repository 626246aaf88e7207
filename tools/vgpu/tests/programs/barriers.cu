// Block barriers of every kind, fences, warps with different jobs, and messages between warps and blocks.
#include "check.h"

namespace {

__device__ void barrier_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
__device__ void barrier_arrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

__global__ void counted(const int* in, int* out) {
  int t = int(threadIdx.x);
  int count = __syncthreads_count(in[t] > 0);
  int all = __syncthreads_and(in[t] > -1000);
  int any = __syncthreads_or(in[t] == 77);
  out[t] = count * 4 + (all != 0) * 2 + (any != 0);
}

// Two producer warps and two consumer warps share two buffers; ids 1, 2: full, 3, 4: empty.
__global__ void named(const int* in, int* out, int rounds) {
  __shared__ int buffer[2][64];
  int t = int(threadIdx.x) % 64;
  if (threadIdx.x < 64) {
    for (int r = 0; r < rounds; ++r) {
      if (r >= 2) barrier_sync(3 + r % 2, 128);
      buffer[r % 2][t] = in[r * 64 + t];
      __threadfence_block();
      barrier_arrive(1 + r % 2, 128);
    }
  } else {
    for (int r = 0; r < rounds; ++r) {
      barrier_sync(1 + r % 2, 128);
      out[r * 64 + t] = buffer[r % 2][63 - t] + 1;
      if (r + 2 < rounds) barrier_arrive(3 + r % 2, 128);
    }
  }
}

// Pairs of warps meet at barriers of their own.
__global__ void pairs(int* out) {
  __shared__ int values[8][32];
  int warp = int(threadIdx.x) / 32, lane = int(threadIdx.x) % 32;
  for (int r = 0; r <= warp / 2; ++r) {
    values[warp][lane] = warp * 100 + lane + r;
    barrier_sync(warp / 2 + 1, 64);
    out[threadIdx.x] = values[warp ^ 1][31 - lane];
    barrier_sync(warp / 2 + 1, 64);
  }
}

// Threads that have left do not count at barriers.
__global__ void leavers(int* out) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  if (threadIdx.x >= 70) return;
  atomicAdd(&sum, int(threadIdx.x));
  __syncthreads();
  out[threadIdx.x] = sum;
}

// Neighbours within a warp hand on values through shared memory.
__global__ void warp_ring(int* out, int rounds) {
  __shared__ int ring[64];
  int t = int(threadIdx.x), first = t / 32 * 32;
  ring[t] = t;
  __syncwarp();
  for (int r = 0; r < rounds; ++r) {
    int next = ring[first + (t + 1) % 32];
    __syncwarp();
    ring[t] = next;
    __syncwarp();
  }
  out[t] = ring[t];
}

__device__ int message, ready;
__global__ void between_blocks(int* out) {
  auto* flag = static_cast<volatile int*>(&ready);
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    message = 123;
    __threadfence();
    *flag = 1;
  }
  if (blockIdx.x == 1 && threadIdx.x == 0) {
    while (*flag == 0) {
    }
    __threadfence();
    *out = *static_cast<volatile int*>(&message);
  }
}

__device__ int lock;
__global__ void critical_sections(int* counter) {
  if (threadIdx.x % 32 == 0) {
    while (atomicCAS(&lock, 0, 1) != 0) {
    }
    __threadfence();
    *static_cast<volatile int*>(counter) = *static_cast<volatile int*>(counter) + 1;
    __threadfence();
    atomicExch(&lock, 0);
  }
}

// Lanes of one warp take the lock one after another: needs progress of the lane that holds it.
__global__ void lane_locks(int* counter) {
  bool done = false;
  while (!done) {
    if (atomicCAS(&lock, 0, 1) == 0) {
      __threadfence();
      *static_cast<volatile int*>(counter) = *static_cast<volatile int*>(counter) + 1;
      __threadfence();
      atomicExch(&lock, 0);
      done = true;
    }
  }
}

}  // namespace

TEST(barrier_reductions) {
  std::vector<int> in(150);
  int positive = 0;
  for (int i = 0; i < 150; ++i) positive += (in[i] = i == 50 ? 77 : i % 7 - 3) > 0;
  Buffer<int> di(in), out(150);
  counted<<<1, 150>>>(di, out);
  check_launch();
  expect_equal(out.host(), std::vector<int>(150, positive * 4 + 3), "count, and, or");
}

TEST(named_barriers) {
  constexpr int kRounds = 9;
  std::vector<int> in(kRounds * 64), want(in.size());
  for (int i = 0; i < int(in.size()); ++i) in[i] = i * 3;
  for (int i = 0; i < int(in.size()); ++i) want[i] = in[i / 64 * 64 + 63 - i % 64] + 1;
  Buffer<int> di(in), out(in.size()), pair_out(256);
  named<<<1, 128>>>(di, out, kRounds);
  check_launch();
  expect_equal(out.host(), want, "producers and consumers");
  pairs<<<1, 256>>>(pair_out);
  check_launch();
  std::vector<int> pair_want(256);
  for (int i = 0; i < 256; ++i) pair_want[i] = (i / 32 ^ 1) * 100 + 31 - i % 32 + i / 64;
  expect_equal(pair_out.host(), pair_want, "pairs of warps");
}

TEST(exited_threads) {
  Buffer<int> out(70);
  leavers<<<1, 128>>>(out);
  check_launch();
  expect_equal(out.host(), std::vector<int>(70, 69 * 35), "sum of those that stay");
}

TEST(warp_barriers) {
  Buffer<int> out(64);
  warp_ring<<<1, 64>>>(out, 5);
  check_launch();
  std::vector<int> want(64);
  for (int i = 0; i < 64; ++i) want[i] = i / 32 * 32 + (i + 5) % 32;
  expect_equal(out.host(), want, "ring");
}

TEST(messages) {
  Buffer<int> out(1);
  between_blocks<<<2, 32>>>(out);
  check_launch();
  expect_equal(out.host(), {123}, "message");
}

TEST(locks) {
  Buffer<int> counter(2);
  critical_sections<<<6, 96>>>(counter);
  lane_locks<<<3, 40>>>(counter + 1);
  check_launch();
  expect_equal(counter.host(), {18, 120}, "counter");
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
