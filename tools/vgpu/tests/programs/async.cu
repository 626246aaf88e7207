// Asynchronous copies and barriers of libcu++: pipelines, cuda::barrier, atomic_ref, and cp.async in
// assembly.
#include <cooperative_groups.h>
#include <cuda_pipeline.h>

#include <cuda/atomic>
#include <cuda/barrier>
#include <cuda/pipeline>

#include "check.h"

#pragma nv_diag_suppress static_var_with_dynamic_init  // barriers and pipelines are initialised by init()

namespace {

constexpr int kTile = 128, kTiles = 6;

// Two stages: the next tile is fetched while the present one is used.
__global__ void double_buffer(const float* in, float* out) {
  __shared__ __align__(16) float stage[2][kTile];
  int t = int(threadIdx.x);
  __pipeline_memcpy_async(&stage[0][t * 4], &in[t * 4], 16);
  __pipeline_commit();
  for (int tile = 0; tile < kTiles; ++tile) {
    if (tile + 1 < kTiles)
      __pipeline_memcpy_async(&stage[(tile + 1) % 2][t * 4], &in[(tile + 1) * kTile + t * 4], 16);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    for (int i = 0; i < 4; ++i) out[tile * kTile + t * 4 + i] = 2 * stage[tile % 2][kTile - 1 - t * 4 - i];
    __syncthreads();
  }
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
__global__ void copy_sizes(const char* in, char* out) {
  __shared__ __align__(16) char stage[32 * 48];
  int t = int(threadIdx.x);
  for (int i = t; i < 32 * 48; i += 32) stage[i] = 'x';
  __syncthreads();
  auto to = uint32_t(__cvta_generic_to_shared(stage)) + uint32_t(t) * 48;
  const char* from = in + t * 48;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(from) : "memory");
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8;" ::"r"(to + 8), "l"(from + 8) : "memory");
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to + 16), "l"(from + 16), "r"(t % 17)
               : "memory");
  asm volatile("cp.async.commit_group;" ::: "memory");
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" ::"r"(to + 32), "l"(from + 32) : "memory");
  asm volatile("cp.async.wait_all;" ::: "memory");
  __syncthreads();
  for (int i = t; i < 32 * 48; i += 32) out[i] = stage[i];
}
#else
__global__ void copy_sizes(const char*, char*) {}
#endif

// Warps 1.. compute what warp 0 fetches, handed over by a shared pipeline.
__global__ void shared_pipeline(const float* in, float* out) {
  __shared__ __align__(16) float stage[2][kTile];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
  auto block = cooperative_groups::this_thread_block();
  auto role = threadIdx.x < 32 ? cuda::pipeline_role::producer : cuda::pipeline_role::consumer;
  auto pipeline = cuda::make_pipeline(block, &state, role);
  if (role == cuda::pipeline_role::producer) {
    for (int tile = 0; tile < kTiles; ++tile) {
      pipeline.producer_acquire();
      cuda::memcpy_async(&stage[tile % 2][threadIdx.x * 4], &in[tile * kTile + threadIdx.x * 4],
                         cuda::aligned_size_t<16>(16), pipeline);
      pipeline.producer_commit();
    }
  } else {
    for (int tile = 0; tile < kTiles; ++tile) {
      pipeline.consumer_wait();
      for (int i = int(threadIdx.x) - 32; i < kTile; i += int(blockDim.x) - 32)
        out[tile * kTile + i] = 2 * stage[tile % 2][kTile - 1 - i];
      pipeline.consumer_release();
    }
  }
}

__global__ void thread_pipeline(const float* in, float* out) {
  __shared__ float stage[2][kTile];
  auto pipeline = cuda::make_pipeline();
  int t = int(threadIdx.x);
  for (int tile = 0; tile <= kTiles; ++tile) {
    if (tile < kTiles) {
      pipeline.producer_acquire();
      cuda::memcpy_async(&stage[tile % 2][t], &in[tile * kTile + t], sizeof(float), pipeline);
      pipeline.producer_commit();
    }
    if (tile == 0) continue;
    if (tile < kTiles)
      cuda::pipeline_consumer_wait_prior<1>(pipeline);
    else
      cuda::pipeline_consumer_wait_prior<0>(pipeline);
    __syncthreads();
    out[(tile - 1) * kTile + t] = 2 * stage[(tile - 1) % 2][kTile - 1 - t];
    __syncthreads();
    pipeline.consumer_release();
  }
}

using BlockBarrier = cuda::barrier<cuda::thread_scope_block>;

// Half of the warps fill a buffer, the other half empty it; one barrier says full, one says empty.
__global__ void produce_and_consume(const float* in, float* out) {
  __shared__ float stage[kTile];
  __shared__ BlockBarrier full, empty;
  if (threadIdx.x == 0) {
    init(&full, blockDim.x);
    init(&empty, blockDim.x);
  }
  __syncthreads();
  int half = int(blockDim.x) / 2, t = int(threadIdx.x);
  for (int tile = 0; tile < kTiles; ++tile) {
    if (t < half) {
      if (tile > 0) empty.arrive_and_wait();
      for (int i = t; i < kTile; i += half) stage[i] = in[tile * kTile + i];
      (void)full.arrive();
    } else {
      full.arrive_and_wait();
      for (int i = t - half; i < kTile; i += half) out[tile * kTile + i] = 2 * stage[kTile - 1 - i];
      if (tile + 1 < kTiles) (void)empty.arrive();
    }
  }
}

// arrive, do something else, wait; arrive_and_drop by threads that leave early; a barrier that copies
// complete.
__global__ void split_barrier(const int* in, int* out) {
  __shared__ __align__(16) int stage[kTile];
  __shared__ BlockBarrier barrier, copied;
  __shared__ int sum;
  int t = int(threadIdx.x);
  if (t == 0) {
    sum = 0;
    init(&barrier, blockDim.x);
    init(&copied, blockDim.x);
  }
  __syncthreads();
  cuda::memcpy_async(&stage[t], &in[t], sizeof(int), copied);
  copied.arrive_and_wait();
  auto token = barrier.arrive();
  int mine = stage[kTile - 1 - t] * 3;
  barrier.wait(std::move(token));
  atomicAdd(&sum, mine);
  if (t >= 64) {
    barrier.arrive_and_drop();
    return;
  }
  barrier.arrive_and_wait();
  out[t] = sum;
  barrier.arrive_and_wait();
}

struct Scoped {
  int count;
  unsigned long long wide;
  int largest;
  float sum;
  int data, flag;
  int read;
};

__global__ void scopes(Scoped* s) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  cuda::atomic_ref<int, cuda::thread_scope_device> count(s->count);
  count.fetch_add(i, cuda::memory_order_relaxed);
  cuda::atomic_ref<unsigned long long, cuda::thread_scope_system>(s->wide).fetch_add(1ull << 32);
  cuda::atomic_ref<int, cuda::thread_scope_device>(s->largest).fetch_max(i);
  cuda::atomic_ref<float, cuda::thread_scope_device>(s->sum).fetch_add(0.5f, cuda::memory_order_acq_rel);
  // A message from the first block to the second.
  cuda::atomic_ref<int, cuda::thread_scope_device> flag(s->flag);
  if (i == 0) {
    s->data = 42;
    flag.store(1, cuda::memory_order_release);
  } else if (i == int(blockDim.x)) {
    while (flag.load(cuda::memory_order_acquire) == 0) __nanosleep(20);
    s->read = s->data;
  }
}

std::vector<float> reversed_tiles(const std::vector<float>& in) {
  std::vector<float> want(in.size());
  for (size_t i = 0; i < in.size(); ++i) want[i] = 2 * in[i / kTile * kTile + kTile - 1 - i % kTile];
  return want;
}

template <class Kernel>
void compare_tiles(Kernel kernel, int threads, const char* what) {
  std::vector<float> in = random_floats(kTile * kTiles, 81);
  Buffer<float> di(in), out(in.size());
  kernel<<<1, threads>>>(di, out);
  check_launch();
  expect_near(out.host(), reversed_tiles(in), 0, what);
}

}  // namespace

TEST(pipeline_primitives) {
  compare_tiles(double_buffer, 32, "double buffer");
}
TEST(pipeline_of_a_block) {
  compare_tiles(shared_pipeline, 128, "shared pipeline");
}
TEST(pipeline_of_a_thread) {
  compare_tiles(thread_pipeline, 128, "pipeline of a thread");
}
TEST(producers_and_consumers) {
  compare_tiles(produce_and_consume, 128, "producers and consumers");
}

TEST_SINCE(copy_widths, 80) {
  std::vector<char> in(32 * 48), want(32 * 48, 'x');
  for (size_t i = 0; i < in.size(); ++i) in[i] = char(i * 37 % 120);
  for (int t = 0; t < 32; ++t)
    for (int i = 0; i < 48; ++i) {
      int at = t * 48 + i;
      if (i < 4 || (i >= 8 && i < 16) || i >= 32) want[at] = in[at];
      if (i >= 16 && i < 32) want[at] = i - 16 < t % 17 ? in[at] : char(0);
    }
  Buffer<char> di(in), out(in.size());
  copy_sizes<<<1, 32>>>(di, out);
  check_launch();
  expect_equal(out.host(), want, "cp.async of 4, 8 and 16 bytes");
}

TEST(split_arrivals) {
  std::vector<int> in(kTile);
  int sum = 0;
  for (int i = 0; i < kTile; ++i) sum += 3 * (in[i] = i * i);
  Buffer<int> di(in), out(64);
  split_barrier<<<1, kTile>>>(di, out);
  check_launch();
  expect_equal(out.host(), std::vector<int>(64, sum), "arrive and wait");
}

TEST(scoped_atomics) {
  Buffer<Scoped> device(1);
  scopes<<<4, 64>>>(device);
  check_launch();
  Scoped s = device.host()[0];
  EXPECT(s.count == 255 * 128 && s.wide == 256ull << 32 && s.largest == 255 && s.sum == 128 && s.read == 42);
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
