// cublas.gemm: 1x1 convolutions at stride 1 without padding, as matrix products of an image's [channels,
// pixels]:
//   y[n]  [K, HW] = w   [K, C]  x[n]  [C, HW]
//   dx[n] [C, HW] = w^T [C, K]  dy[n] [K, HW]
//   dw    [K, C]  = sum over n of dy[n] [K, HW]  x[n]^T [HW, C], one product after the other
// Row-major matrices are cuBLAS's column-major ones transposed, so every product is written as its transpose,
// with the operands in the other order. FP32 in cuBLAS's default math mode, which keeps every bit of the
// mantissa. The workspace is ours, so that the same call gives the same bits. fprop writes the bare product;
// bias and ReLU are the caller's (library_rows.cpp). dx and dw are overwritten or added to.
#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <cstdint>
#include <limits>
#include <mutex>

#include "kernels/base/cuda_library_handles.h"
#include "kernels/base/error.h"
#include "kernels/base/plugin_export.h"
#include "kernels/conv2d/conv2d.h"

namespace kernels {

namespace {

constexpr size_t kAlign = 256;  // of cuBLAS's workspace; exec's has 64

using Handles = LibraryHandles<cublasHandle_t, cublasStatus_t, cublasCreate>;

/// What the documentation of cublasSetWorkspace recommends, 32 MiB for Hopper and 4 MiB for what was before;
/// Hopper's also for what came after.
size_t workspace_of_device(int device) {
  int major = 0;
  (void)cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  return size_t{major >= 9 ? 32u : 4u} << 20;
}

void check(cublasStatus_t status, const char* call, const ConvProblem& problem) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ExitCode::Internal, {.where = fmt::format("cuBLAS {} {}", call, to_string(problem)),
                                   .what = "the library reports an error",
                                   .expected = "success",
                                   .got = fmt::format("{} ({})", cublasGetStatusName(status), int{status}),
                                   .hint = ""});
}

std::string supports(const Exec&, const ConvProblem& c, Direction) {
  if (c.R != 1 || c.S != 1) return fmt::format("kernel {}x{}, only 1x1 is done", c.R, c.S);
  if (c.stride != 1) return fmt::format("stride {}, only stride 1 is done", c.stride);
  if (c.pad_h != 0 || c.pad_w != 0) return fmt::format("padding {}x{}, only none is done", c.pad_h, c.pad_w);
  constexpr int64_t most = std::numeric_limits<int>::max();
  return c.H * c.W > most || c.C > most || c.K > most || c.N > most ? "a size is 2^31 or more" : "";
}

size_t workspace(const Exec& exec, const ConvProblem&, Direction) {
  return workspace_of_device(exec.device) + kAlign;
}

/// A matrix, or a batch of them `stride` elements apart, as cuBLAS sees it.
struct Matrix {
  const float* data;
  cublasOperation_t operation;
  int64_t leading, stride;
};

/// c [m, n] = a [m, k] b [k, n] + beta c, column-major, `batch` times.
void gemm(cublasHandle_t handle, const ConvProblem& problem, int64_t m, int64_t n, int64_t k, const Matrix& a,
          const Matrix& b, float beta, float* c, int64_t batch) {
  const float alpha = 1.0f;
  check(cublasSgemmStridedBatched(handle, a.operation, b.operation, static_cast<int>(m), static_cast<int>(n),
                                  static_cast<int>(k), &alpha, a.data, static_cast<int>(a.leading), a.stride,
                                  b.data, static_cast<int>(b.leading), b.stride, &beta, c,
                                  static_cast<int>(m), m * n, static_cast<int>(batch)),
        "cublasSgemmStridedBatched", problem);
}

void run(const Exec& exec, const ConvProblem& c, Direction direction, const ConvOperands<float>& t,
         GradMode mode) {
  if (direction != Direction::Fprop && mode == GradMode::Ignore) return;
  CPM_CHECK(exec.workspace.bytes >= workspace(exec, c, direction), "cublas.gemm {}: workspace of {} bytes",
            to_string(c), exec.workspace.bytes);
  const std::lock_guard<std::mutex> lock(Handles::mutex());
  const auto& start = Handles::on(exec.device);
  check(start.status, "cublasCreate", c);
  const cublasHandle_t handle = start.handle;
  check(cublasSetStream(handle, static_cast<cudaStream_t>(exec.stream)), "cublasSetStream", c);
  const uintptr_t place = (reinterpret_cast<uintptr_t>(exec.workspace.data) + kAlign - 1) / kAlign * kAlign;
  check(cublasSetWorkspace(handle, reinterpret_cast<void*>(place), workspace_of_device(exec.device)),
        "cublasSetWorkspace", c);
  check(cublasSetMathMode(handle, CUBLAS_DEFAULT_MATH), "cublasSetMathMode", c);

  const int64_t pixels = c.H * c.W;
  const float beta = mode == GradMode::Accumulate ? 1.0f : 0.0f;
  if (direction == Direction::Fprop) {
    gemm(handle, c, pixels, c.K, c.C, {t.x, CUBLAS_OP_N, pixels, c.C * pixels}, {t.w, CUBLAS_OP_N, c.C, 0},
         0.0f, t.y, c.N);
  } else if (direction == Direction::Dgrad) {
    gemm(handle, c, pixels, c.C, c.K, {t.dy, CUBLAS_OP_N, pixels, c.K * pixels}, {t.w, CUBLAS_OP_T, c.C, 0},
         beta, t.dx, c.N);
  } else {
    for (int64_t n = 0; n < c.N; ++n) {
      gemm(handle, c, c.C, c.K, pixels, {t.x + n * c.C * pixels, CUBLAS_OP_T, pixels, 0},
           {t.dy + n * c.K * pixels, CUBLAS_OP_N, pixels, 0}, n == 0 ? beta : 1.0f, t.dw, 1);
    }
  }
}

}  // namespace

}  // namespace kernels

CPM_PLUGIN_EXPORT const char* cpm_plugin_version() {
  return CPM_VERSION;
}

CPM_PLUGIN_EXPORT void cpm_plugin_missing(const kernels::Exec& exec, std::string* reason) {
  const std::lock_guard<std::mutex> lock(kernels::Handles::mutex());
  const cublasStatus_t status = kernels::Handles::on(exec.device).status;
  if (status == CUBLAS_STATUS_SUCCESS) return;
  *reason = fmt::format("cuBLAS does not start: {}", cublasGetStatusName(status));
}

CPM_PLUGIN_EXPORT const kernels::ConvRow<float>& cpm_plugin_conv2d() {
  using namespace kernels;
  static const ConvRow<float> row{.name = "cublas.gemm",
                                  .backend = Backend::Cuda,
                                  .supports = supports,
                                  .workspace = workspace,
                                  .run = run,
                                  .by_name = true};
  return row;
}
