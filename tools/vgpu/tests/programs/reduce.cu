// Reductions, scans and histograms: shuffles, shared trees, atomics of every kind, last-block and look-back
// schemes.
#include "check.h"

namespace {

constexpr unsigned kAll = 0xFFFFFFFFu;

__device__ float warp_sum(float value) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(kAll, value, offset);
  return value;
}

__global__ void sum_shuffle(const float* in, float* out, int n) {
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += in[i];
  __shared__ float parts[32];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = warp_sum(threadIdx.x < blockDim.x / 32 ? parts[threadIdx.x] : 0);
    if (threadIdx.x == 0) atomicAdd(out, sum);
  }
}

__global__ void sum_tree(const float* in, float* out, int n) {
  extern __shared__ float tree[];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  tree[threadIdx.x] = i < n ? in[i] : 0;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) tree[threadIdx.x] += tree[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) out[blockIdx.x] = tree[0];
}

__global__ void scan_block(const int* in, int* out) {
  __shared__ int totals[32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, value = in[threadIdx.x];
  for (int offset = 1; offset < 32; offset *= 2) {
    int other = __shfl_up_sync(kAll, value, offset);
    if (lane >= offset) value += other;
  }
  if (lane == 31) totals[warp] = value;
  __syncthreads();
  if (warp == 0) {
    int total = lane < int(blockDim.x / 32) ? totals[lane] : 0;
    for (int offset = 1; offset < 32; offset *= 2) {
      int other = __shfl_up_sync(kAll, total, offset);
      if (lane >= offset) total += other;
    }
    totals[lane] = total;
  }
  __syncthreads();
  out[threadIdx.x] = value + (warp > 0 ? totals[warp - 1] : 0);
}

__global__ void histogram(const uint8_t* in, int n, unsigned* out) {
  __shared__ unsigned bins[64];
  if (threadIdx.x < 64) bins[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    atomicAdd(&bins[in[i] % 64], 1u);
  __syncthreads();
  if (threadIdx.x < 64) atomicAdd(&out[threadIdx.x], bins[threadIdx.x]);
}

// Every block adds its part; the last one to finish adds the parts up.
__device__ unsigned blocks_done;
__global__ void sum_last_block(const int* in, int* parts, int* out, int n) {
  __shared__ bool last;
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&sum, in[i]);
  __syncthreads();
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = sum;
    __threadfence();
    last = atomicInc(&blocks_done, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last || threadIdx.x != 0) return;
  __threadfence();
  int total = 0;
  for (unsigned b = 0; b < gridDim.x; ++b) total += static_cast<volatile int*>(parts)[b];
  *out = total;
}

// Single-pass scan: a block takes a ticket, publishes its sum, and looks back until it finds a prefix.
struct LookBack {
  unsigned long long state[64];  // 0: nothing, 1: sum of the block, 2: sum up to it; value in the upper half
  unsigned ticket;
};
__global__ void scan_look_back(const int* in, int* out, LookBack* shared_state, int n) {
  __shared__ unsigned part;
  __shared__ int values[128], before;
  if (threadIdx.x == 0) part = atomicAdd(&shared_state->ticket, 1u);
  __syncthreads();
  int i = int(part * 128 + threadIdx.x);
  values[threadIdx.x] = i < n ? in[i] : 0;
  __syncthreads();
  for (int offset = 1; offset < 128; offset *= 2) {
    int other = int(threadIdx.x) >= offset ? values[threadIdx.x - offset] : 0;
    __syncthreads();
    values[threadIdx.x] += other;
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    auto* state = static_cast<volatile unsigned long long*>(shared_state->state);
    unsigned long long sum = static_cast<unsigned>(values[127]);
    state[part] = sum << 32 | (part == 0 ? 2 : 1);
    int prefix = 0;
    for (int p = int(part) - 1; p >= 0;) {
      unsigned long long s = state[p];
      if ((s & 3) == 0) continue;
      prefix += int(s >> 32);
      if ((s & 3) == 2) break;
      --p;
    }
    before = prefix;
    __threadfence();
    state[part] = static_cast<unsigned long long>(static_cast<unsigned>(prefix + values[127])) << 32 | 2;
  }
  __syncthreads();
  if (i < n) out[i] = values[threadIdx.x] + before;
}

struct Atomics {
  int add, sub, min, max, both, any, odd, exchanged;
  unsigned inc, dec, umin, umax;
  unsigned long long add64, max64;
  long long min64;
  float addf;
  double addd;
  int compare_sum;
};

// Adds 2.5 by compare-and-swap.
__device__ void add_by_cas(int* address) {
  int old = *static_cast<volatile int*>(address), assumed;
  do {
    assumed = old;
    old = atomicCAS(address, assumed, __float_as_int(__int_as_float(assumed) + 2.5f));
  } while (old != assumed);
}

__global__ void atomics(Atomics* a) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&a->add, i);
  atomicSub(&a->sub, 2);
  atomicMin(&a->min, -i);
  atomicMax(&a->max, i);
  atomicAnd(&a->both, ~(1 << i % 31));
  atomicOr(&a->any, 1 << i % 31);
  atomicXor(&a->odd, i);
  atomicExch(&a->exchanged, 77);
  atomicInc(&a->inc, 9);
  atomicDec(&a->dec, 9);
  atomicMin(&a->umin, 0xFFFFFF00u - unsigned(i));
  atomicMax(&a->umax, 0x80000000u + unsigned(i));
  atomicAdd(&a->add64, 1ull << 33);
  atomicMax(&a->max64, 1ull << 40 | unsigned(i));
  atomicMin(&a->min64, -(1ll << 40) - i);
  atomicAdd(&a->addf, 0.5f);
  atomicAdd(&a->addd, 0.25);
  atomicAdd_system(&a->add, 1);
  atomicAdd_block(&a->add, 1);
  add_by_cas(&a->compare_sum);
}

__global__ void shared_atomics(int* out, unsigned long long* wide) {
  __shared__ int counter, largest;
  __shared__ unsigned long long sum;
  __shared__ unsigned short pair[2];
  if (threadIdx.x == 0) counter = 0, largest = -1, sum = 0, pair[0] = pair[1] = 0;
  __syncthreads();
  int position = atomicAdd(&counter, 1);
  out[position] = 1;
  atomicMax(&largest, int(threadIdx.x));
  atomicAdd(&sum, 0x1'0000'0001ull);
  for (unsigned short old = *static_cast<volatile unsigned short*>(&pair[1]);;) {
    unsigned short seen = atomicCAS(&pair[1], old, static_cast<unsigned short>(old + 1));
    if (seen == old) break;
    old = seen;
  }
  __syncthreads();
  if (threadIdx.x == 0)
    wide[0] = sum, wide[1] = counter, wide[2] = largest, wide[3] = pair[1], wide[4] = pair[0];
}

double total(const std::vector<float>& values) {
  double sum = 0;
  for (float v : values) sum += v;
  return sum;
}

std::vector<int> small_integers(int count) {
  Random random(11);
  std::vector<int> values(count);
  for (int& v : values) v = random.below(100) - 40;
  return values;
}

std::vector<int> running_sum(std::vector<int> values) {
  for (size_t i = 1; i < values.size(); ++i) values[i] += values[i - 1];
  return values;
}

}  // namespace

TEST(sums) {
  constexpr int kCount = 10000;
  std::vector<float> in = random_floats(kCount, 9);
  Buffer<float> di(in), one(1), parts(40);
  sum_shuffle<<<4, 256>>>(di, one, kCount);
  sum_tree<<<40, 256, 256 * sizeof(float)>>>(di, parts, kCount);
  check_launch();
  std::vector<double> want{total(in)};
  expect_near(one.host(), want, 1e-4, "shuffles and atomics");
  expect_near(std::vector<double>{total(parts.host())}, want, 1e-4, "shared tree");
}

TEST(scans) {
  std::vector<int> in = small_integers(1024), many = small_integers(5000);
  Buffer<int> di(in), dout(in.size()), dm(many), dn(many.size());
  scan_block<<<1, 1024>>>(di, dout);
  check_launch();
  expect_equal(dout.host(), running_sum(in), "scan in a block");
  Buffer<LookBack> state(1);
  scan_look_back<<<40, 128>>>(dm, dn, state, 5000);
  check_launch();
  expect_equal(dn.host(), running_sum(many), "scan with look-back");
}

TEST(histograms) {
  std::vector<uint8_t> in(20000);
  std::vector<unsigned> want(64, 0u);
  Random random(10);
  for (uint8_t& v : in) want[(v = uint8_t(random.bits())) % 64]++;
  Buffer<uint8_t> di(in);
  Buffer<unsigned> out(64);
  histogram<<<5, 192>>>(di, 20000, out);
  check_launch();
  expect_equal(out.host(), want, "histogram");
}

TEST(last_block) {
  std::vector<int> in = small_integers(5000);
  Buffer<int> di(in), parts(40), out(2);
  sum_last_block<<<40, 128>>>(di, parts, out, 5000);
  sum_last_block<<<40, 128>>>(di, parts, out + 1, 5000);
  check_launch();
  int want = running_sum(in).back();
  expect_equal(out.host(), {want, want}, "sum by the last block");
}

TEST(global_atomics) {
  Atomics start{};
  start.both = -1;
  Buffer<Atomics> device(std::vector<Atomics>{start});
  atomics<<<3, 64>>>(device);
  check_launch();
  Atomics a = device.host()[0];
  int odd = 0;
  for (int i = 0; i < 192; ++i) odd ^= i;
  EXPECT(a.add == 191 * 96 + 2 * 192 && a.sub == -384 && a.min == -191 && a.max == 191);
  EXPECT(a.both == int(0x80000000) && a.any == 0x7FFFFFFF && a.odd == odd && a.exchanged == 77);
  EXPECT(a.inc == 192 % 10 && a.dec == (10 - 192 % 10) % 10 && a.umin == 0 && a.umax == 0x80000000u + 191);
  EXPECT(a.add64 == 192ull << 33 && a.max64 == (1ull << 40 | 191) && a.min64 == -(1ll << 40) - 191);
  EXPECT(a.addf == 96 && a.addd == 48);
  float sum;
  std::memcpy(&sum, &a.compare_sum, 4);
  EXPECT(sum == 480);
}

TEST(atomics_in_shared_memory) {
  Buffer<int> out(96);
  Buffer<unsigned long long> wide(5);
  shared_atomics<<<1, 96>>>(out, wide);
  check_launch();
  expect_equal(out.host(), std::vector<int>(96, 1), "positions");
  expect_equal(wide.host(), {96ull << 32 | 96, 96ull, 95ull, 96ull, 0ull}, "counters");
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
