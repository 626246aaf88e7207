// A stand-in for libcublas.so.13: one routine, C = alpha op(A) op(B) + beta C in float, column-major, batches
// at a stride; sums in double. It refuses what cuBLAS's documentation refuses, and two things that cuBLAS
// leaves open: batches of C that overlap, and a workspace of the caller's under 16 KiB.
#include <cublas_v2.h>

#include <algorithm>
#include <cstdint>

#include "standins/transfer.h"

#define STANDIN_EXPORT extern "C" __attribute__((visibility("default")))

using namespace vgpu::standin;

struct cublasContext {
  cudaStream_t stream = nullptr;
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  bool own_workspace = true;  // until cublasSetWorkspace
};

namespace {

constexpr size_t kSmallestWorkspace = 16 * 1024;
size_t last_workspace = 0;  // bytes that the caller had set for the product that ran last

bool known(cublasOperation_t operation) {
  return operation == CUBLAS_OP_N || operation == CUBLAS_OP_T || operation == CUBLAS_OP_C;
}

/// A batch of column-major matrices; rows and columns of the matrix as the product sees it.
struct Operand {
  cublasOperation_t operation;
  int rows, columns, leading;
  int64_t stride;

  int stored_rows() const { return operation == CUBLAS_OP_N ? rows : columns; }
  int stored_columns() const { return operation == CUBLAS_OP_N ? columns : rows; }
  bool valid() const { return leading >= std::max(1, stored_rows()) && stride >= 0; }
  /// Elements from the first to the last one that is used.
  size_t extent(int batches) const {
    if (rows == 0 || columns == 0 || batches == 0) return 0;
    return static_cast<size_t>((batches - 1) * stride + int64_t{leading} * (stored_columns() - 1) +
                               stored_rows());
  }
  size_t place(int batch, int row, int column) const {
    const int64_t down = operation == CUBLAS_OP_N ? row : column,
                  right = operation == CUBLAS_OP_N ? column : row;
    return static_cast<size_t>(batch * stride + right * leading + down);
  }
};

}  // namespace

/// For tests of callers.
STANDIN_EXPORT size_t vgpu_standin_last_workspace() {
  return last_workspace;
}

STANDIN_EXPORT const char* cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "CUBLAS_STATUS_UNKNOWN";
  }
}

STANDIN_EXPORT cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}

STANDIN_EXPORT cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

/// Puts the library's own workspace back, as the documentation says.
STANDIN_EXPORT cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = {.stream = stream};
  return CUBLAS_STATUS_SUCCESS;
}

STANDIN_EXPORT cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t bytes) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  *handle = {
      .stream = handle->stream, .workspace = workspace, .workspace_bytes = bytes, .own_workspace = false};
  return CUBLAS_STATUS_SUCCESS;
}

STANDIN_EXPORT cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t) {
  return handle == nullptr ? CUBLAS_STATUS_NOT_INITIALIZED : CUBLAS_STATUS_SUCCESS;
}

STANDIN_EXPORT cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa,
                                                        cublasOperation_t transb, int m, int n, int k,
                                                        const float* alpha, const float* a, int lda,
                                                        long long stride_a, const float* b, int ldb,
                                                        long long stride_b, const float* beta, float* c,
                                                        int ldc, long long stride_c, int batches) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const Operand left{transa, m, k, lda, stride_a}, right{transb, k, n, ldb, stride_b};
  const Operand out{CUBLAS_OP_N, m, n, ldc, stride_c};
  if (m < 0 || n < 0 || k < 0 || batches < 0 || !known(transa) || !known(transb) || !left.valid() ||
      !right.valid() || !out.valid() || alpha == nullptr || beta == nullptr || c == nullptr ||
      (batches > 1 && stride_c < int64_t{ldc} * n)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (!handle->own_workspace && handle->workspace_bytes < kSmallestWorkspace)
    return CUBLAS_STATUS_ALLOC_FAILED;
  Transfer transfer(handle->stream);
  if (transfer.capturing()) return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto as = transfer.read(a, left.extent(batches)), bs = transfer.read(b, right.extent(batches));
  const bool keeps =
      *beta != 0.0f || ldc != m || stride_c != int64_t{ldc} * n;  // something of C stays as it is
  std::vector<float> cs =
      keeps ? transfer.read(c, out.extent(batches)) : std::vector<float>(out.extent(batches));
  for (int batch = 0; batch < batches; ++batch) {
    for (int column = 0; column < n; ++column) {
      for (int row = 0; row < m; ++row) {
        double sum = 0.0;
        for (int i = 0; i < k; ++i) {
          sum += static_cast<double>(as[left.place(batch, row, i)]) *
                 static_cast<double>(bs[right.place(batch, i, column)]);
        }
        float& to = cs[out.place(batch, row, column)];
        to = blend(static_cast<double>(*alpha), sum, static_cast<double>(*beta), to);
      }
    }
  }
  transfer.spoil(handle->workspace, handle->workspace_bytes);
  last_workspace = handle->workspace_bytes;
  transfer.write(c, cs);
  return transfer.ok() ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
