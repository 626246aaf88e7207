// Cooperative groups: tiles, reductions, coalesced groups, asynchronous copies, and grids that synchronise.
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>

#include "check.h"

namespace {

namespace cg = cooperative_groups;

__global__ void tiles(const int* in, int* out, int* totals) {
  cg::thread_block block = cg::this_thread_block();
  cg::thread_block_tile<8> tile = cg::tiled_partition<8>(block);
  int value = in[block.thread_rank()];
  int* r = out + block.thread_rank() * 8;
  r[0] = cg::reduce(tile, value, cg::plus<int>());
  r[1] = cg::reduce(tile, value, cg::greater<int>());
  r[2] = tile.shfl(value, 3) + int(tile.meta_group_rank()) + int(tile.thread_rank());
  r[3] = int(tile.ballot(value % 2 != 0));
  cg::thread_block_tile<32> warp = cg::tiled_partition<32>(block);
  r[4] = cg::reduce(warp, value, cg::less<int>());
  r[5] = cg::inclusive_scan(warp, value);
  r[6] = int(tile.meta_group_size());
  // Who is in a coalesced group is up to the device; that everybody is in one of them is not.
  if (value % 3 == 0) {
    cg::coalesced_group some = cg::coalesced_threads();
    int sum = cg::reduce(some, value, cg::plus<int>()) + int(some.size());
    if (some.thread_rank() == 0) atomicAdd(&totals[block.thread_rank() / 32], sum);
  }
  r[7] = int(warp.size());
}

// Warp-aggregated increment: one atomic for all lanes that came together.
__device__ int aggregated_increment(int* counter) {
  cg::coalesced_group active = cg::coalesced_threads();
  int base = 0;
  if (active.thread_rank() == 0) base = atomicAdd(counter, int(active.size()));
  return active.shfl(base, 0) + int(active.thread_rank());
}
__global__ void filter(const int* in, int* out, int* count, int n) {
  int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n && in[i] > 0) out[aggregated_increment(count)] = in[i];
}

__global__ void copy_through_shared(const int* in, int* out) {
  extern __shared__ __align__(16) int stage[];
  cg::thread_block block = cg::this_thread_block();
  cg::memcpy_async(block, stage, in + blockIdx.x * 256, sizeof(int) * 256);
  cg::wait(block);
  for (int i = int(block.thread_rank()); i < 256; i += int(block.size()))
    out[blockIdx.x * 256 + i] = stage[255 - i] + 1;
}

// Jacobi steps with a grid barrier between them.
__global__ void relax(float* a, float* b, int n, int steps) {
  cg::grid_group grid = cg::this_grid();
  for (int s = 0; s < steps; ++s) {
    for (int i = int(grid.thread_rank()); i < n; i += int(grid.size())) {
      float left = i > 0 ? a[i - 1] : 1, right = i < n - 1 ? a[i + 1] : 0;
      b[i] = 0.5f * (left + right);
    }
    grid.sync();
    float* t = a;
    a = b;
    b = t;
  }
}

__global__ void sum_grid(const int* in, int* parts, int* out, int n) {
  cg::grid_group grid = cg::this_grid();
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  for (int i = int(grid.thread_rank()); i < n; i += int(grid.size())) atomicAdd(&sum, in[i]);
  __syncthreads();
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
  cg::sync(grid);
  if (grid.thread_rank() == 0) {
    int total = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) total += parts[b];
    *out = total;
  }
}

std::vector<int> numbers(int count) {
  Random random(71);
  std::vector<int> values(count);
  for (int& v : values) v = random.below(200) - 100;
  return values;
}

template <class Range>
int sum_of(const Range& values, size_t begin, size_t end) {
  int sum = 0;
  for (size_t i = begin; i < end; ++i) sum += values[i];
  return sum;
}

}  // namespace

TEST(tile_groups) {
  std::vector<int> in = numbers(128);
  Buffer<int> di(in), out(128 * 8), totals(4);
  tiles<<<1, 128>>>(di, out, totals);
  check_launch();
  std::vector<int> want, want_totals(4);
  for (int i = 0; i < 128; ++i) {
    int t = i / 8 * 8, w = i / 32 * 32, largest = in[t], smallest = in[w], odd = 0;
    for (int j = 0; j < 8; ++j) largest = std::max(largest, in[t + j]), odd |= (in[t + j] % 2 != 0) << j;
    for (int j = 0; j < 32; ++j) smallest = std::min(smallest, in[w + j]);
    if (in[i] % 3 == 0) want_totals[i / 32] += in[i] + 1;
    want.insert(want.end(), {sum_of(in, t, t + 8), largest, in[t + 3] + t / 8 + i % 8, odd, smallest,
                             sum_of(in, w, i + 1), 16, 32});
  }
  expect_equal(out.host(), want, "tiles");
  expect_equal(totals.host(), want_totals, "coalesced groups");
}

TEST(aggregated_atomics) {
  std::vector<int> in = numbers(1000);
  Buffer<int> di(in), out(1000), count(1);
  filter<<<8, 128>>>(di, out, count, 1000);
  check_launch();
  int want_count = 0, want_sum = 0;
  for (int v : in)
    if (v > 0) ++want_count, want_sum += v;
  expect_equal(count.host(), {want_count}, "count");
  EXPECT(sum_of(out.host(), 0, 1000) == want_sum);
}

TEST(group_copies) {
  std::vector<int> in = numbers(1024), want(1024);
  for (int i = 0; i < 1024; ++i) want[i] = in[i / 256 * 256 + 255 - i % 256] + 1;
  Buffer<int> di(in), out(1024);
  copy_through_shared<<<4, 96, 1024>>>(di, out);
  check_launch();
  expect_equal(out.host(), want, "memcpy_async");
}

TEST(grid_barrier) {
  constexpr int kCount = 700, kSteps = 25;
  std::vector<float> a(kCount, 0.f), b(kCount);
  Buffer<float> da(a), db(kCount);
  float *pa = da, *pb = db;
  int n = kCount, steps = kSteps;
  void* arguments[] = {&pa, &pb, &n, &steps};
  CHECK_CUDA(
      cudaLaunchCooperativeKernel(reinterpret_cast<void*>(relax), dim3(5), dim3(64), arguments, 0, nullptr));
  check_launch();
  for (int s = 0; s < kSteps; ++s) {
    for (int i = 0; i < kCount; ++i) b[i] = 0.5f * ((i > 0 ? a[i - 1] : 1) + (i < kCount - 1 ? a[i + 1] : 0));
    std::swap(a, b);
  }
  expect_near(kSteps % 2 ? db.host() : da.host(), a, 0, "relaxation");
}

TEST(grid_sum) {
  std::vector<int> in = numbers(5000);
  Buffer<int> di(in), parts(8), out(1);
  int *pi = di, *pp = parts, *po = out, n = 5000;
  void* arguments[] = {&pi, &pp, &po, &n};
  CHECK_CUDA(cudaLaunchCooperativeKernel(sum_grid, dim3(8), dim3(96), arguments, 0, nullptr));
  check_launch();
  expect_equal(out.host(), {sum_of(in, 0, 5000)}, "sum");
}

int main(int argc, char** argv) {
  return run_tests(argc, argv);
}
