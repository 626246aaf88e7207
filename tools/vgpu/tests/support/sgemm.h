// Single-precision matrix products c = a b of n x n matrices, row by row; n a multiple of the tile.
#pragma once

// kTile x kTile outputs a block, one a thread.
template <int kTile>
__global__ void sgemm_tiled(const float* a, const float* b, float* c, int n) {
  __shared__ float sa[kTile][kTile], sb[kTile][kTile];
  int row = blockIdx.y * kTile + threadIdx.y, column = blockIdx.x * kTile + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < n; k += kTile) {
    sa[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];
    sb[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + column];
    __syncthreads();
    for (int i = 0; i < kTile; ++i) sum += sa[threadIdx.y][i] * sb[i][threadIdx.x];
    __syncthreads();
  }
  c[row * n + column] = sum;
}

// 64x64 outputs a block of 256 threads, 4x4 a thread, slices of 16 in k; float4 through shared memory.
__global__ void sgemm_64(const float* a, const float* b, float* c, int n) {
  __shared__ float sa[16][64], sb[16][64];
  int t = threadIdx.x, tx = t % 16, ty = t / 16;
  int row0 = blockIdx.y * 64, column0 = blockIdx.x * 64;
  float sum[4][4] = {};
  for (int k = 0; k < n; k += 16) {
    float4 va = *reinterpret_cast<const float4*>(&a[(row0 + t / 4) * n + k + t % 4 * 4]);
    sa[t % 4 * 4 + 0][t / 4] = va.x;
    sa[t % 4 * 4 + 1][t / 4] = va.y;
    sa[t % 4 * 4 + 2][t / 4] = va.z;
    sa[t % 4 * 4 + 3][t / 4] = va.w;
    *reinterpret_cast<float4*>(&sb[ty][tx * 4]) =
        *reinterpret_cast<const float4*>(&b[(k + ty) * n + column0 + tx * 4]);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      float4 fa = *reinterpret_cast<float4*>(&sa[i][ty * 4]), fb = *reinterpret_cast<float4*>(&sb[i][tx * 4]);
      float ra[4] = {fa.x, fa.y, fa.z, fa.w}, rb[4] = {fb.x, fb.y, fb.z, fb.w};
#pragma unroll
      for (int y = 0; y < 4; ++y)
#pragma unroll
        for (int x = 0; x < 4; ++x) sum[y][x] += ra[y] * rb[x];
    }
    __syncthreads();
  }
  for (int y = 0; y < 4; ++y)
    *reinterpret_cast<float4*>(&c[(row0 + ty * 4 + y) * n + column0 + tx * 4]) =
        make_float4(sum[y][0], sum[y][1], sum[y][2], sum[y][3]);
}
