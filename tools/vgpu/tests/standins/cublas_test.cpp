// The cuBLAS stand-in: products worked out by hand, and what cuBLAS's documentation refuses.
#include <cublas_v2.h>

#include <cmath>

#include "tests/standins/device_array.h"

using vgpu::test::DeviceArray;
using Values = std::vector<float>;

namespace {

constexpr auto kOk = CUBLAS_STATUS_SUCCESS;
constexpr auto kInvalid = CUBLAS_STATUS_INVALID_VALUE;
constexpr auto N = CUBLAS_OP_N, T = CUBLAS_OP_T;
const float kZero = 0.0f, kOne = 1.0f, kTwo = 2.0f;

struct Blas {
  cublasHandle_t handle = nullptr;
  Blas() { REQUIRE(cublasCreate(&handle) == kOk); }
  ~Blas() { cublasDestroy(handle); }
};

/// Column-major [[1, 3, 5], [2, 4, 6]] and [[1, 4], [2, 5], [3, 6]].
const Values kA{1, 2, 3, 4, 5, 6}, kB{1, 2, 3, 4, 5, 6};

}  // namespace

TEST_CASE("cublas stand-in: a product by hand, transposed operands, alpha and beta") {
  Blas blas;
  DeviceArray a(kA), b(kB), c(Values(4, NAN));
  const auto gemm = [&](cublasOperation_t ta, int lda, cublasOperation_t tb, int ldb, const float* alpha,
                        const float* beta) {
    return cublasSgemmStridedBatched(blas.handle, ta, tb, 2, 2, 3, alpha, a.data(), lda, 0, b.data(), ldb, 0,
                                     beta, c.data(), 2, 4, 1);
  };
  REQUIRE(gemm(N, 2, N, 3, &kOne, &kZero) == kOk);
  CHECK(c.values() == Values{22, 28, 49, 64});
  REQUIRE(gemm(N, 2, N, 3, &kTwo, &kOne) == kOk);
  CHECK(c.values() == Values{66, 84, 147, 192});
  REQUIRE(gemm(T, 3, N, 3, &kOne, &kZero) == kOk);
  CHECK(c.values() == Values{14, 32, 32, 77});
  REQUIRE(gemm(N, 2, T, 2, &kOne, &kZero) == kOk);
  CHECK(c.values() == Values{35, 44, 44, 56});
  // Leading dimensions: what they say must at least be the rows that are stored.
  CHECK(gemm(N, 1, N, 3, &kOne, &kZero) == kInvalid);
  CHECK(gemm(T, 2, N, 3, &kOne, &kZero) == kInvalid);
  CHECK(gemm(N, 2, N, 2, &kOne, &kZero) == kInvalid);
  CHECK(gemm(N, 2, T, 1, &kOne, &kZero) == kInvalid);
  CHECK(gemm(N, 2, N, 3, nullptr, &kZero) == kInvalid);
  CHECK(gemm(N, 2, N, 3, &kOne, nullptr) == kInvalid);
}

TEST_CASE("cublas stand-in: batches at a stride, and rows of C that are not its business") {
  Blas blas;
  DeviceArray a({1, 2, 3, 4}), b({10}), c({7, 7, 7, 7, 7, 7});
  // Two batches of a 2x1 by 1x1 product; C has leading dimension 3, and its third row stays as it is.
  REQUIRE(cublasSgemmStridedBatched(blas.handle, N, N, 2, 1, 1, &kOne, a.data(), 2, 2, b.data(), 1, 0, &kZero,
                                    c.data(), 3, 3, 2) == kOk);
  CHECK(c.values() == Values{10, 20, 7, 30, 40, 7});
  CHECK(cublasSgemmStridedBatched(blas.handle, N, N, 2, 1, 1, &kOne, a.data(), 2, 2, b.data(), 1, 0, &kZero,
                                  c.data(), 3, 2, 2) == kInvalid);
  CHECK(cublasSgemmStridedBatched(blas.handle, N, N, 2, 1, -1, &kOne, a.data(), 2, 2, b.data(), 1, 0, &kZero,
                                  c.data(), 3, 3, 2) == kInvalid);
  CHECK(cublasSgemmStridedBatched(blas.handle, N, N, 2, 1, 1, &kOne, a.data(), 2, 2, b.data(), 1, 0, &kZero,
                                  nullptr, 3, 3, 2) == kInvalid);
  CHECK(cublasSgemmStridedBatched(blas.handle, N, N, 2, 1, 1, &kOne, a.data(), 2, 2, b.data(), 1, 0, &kZero,
                                  c.data(), 1, 3, 2) == kInvalid);
  CHECK(cublasSgemmStridedBatched(nullptr, N, N, 2, 1, 1, &kOne, a.data(), 2, 2, b.data(), 1, 0, &kZero,
                                  c.data(), 3, 3, 2) == CUBLAS_STATUS_NOT_INITIALIZED);
}

TEST_CASE("cublas stand-in: a workspace is aligned, large enough, spoilt, and gone with the next stream") {
  Blas blas;
  DeviceArray a({1}), b({2}), c({NAN}), scratch(Values(8192, 1.0f));
  const auto gemm = [&] {
    return cublasSgemmStridedBatched(blas.handle, N, N, 1, 1, 1, &kOne, a.data(), 1, 1, b.data(), 1, 1,
                                     &kZero, c.data(), 1, 1, 1);
  };
  CHECK(cublasSetWorkspace(blas.handle, scratch.data() + 1, 1024) == kInvalid);
  REQUIRE(cublasSetWorkspace(blas.handle, scratch.data(), 1024) == kOk);
  CHECK(gemm() == CUBLAS_STATUS_ALLOC_FAILED);
  REQUIRE(cublasSetStream(blas.handle, nullptr) == kOk);
  CHECK(gemm() == kOk);
  CHECK(scratch.values()[0] == 1.0f);
  REQUIRE(cublasSetWorkspace(blas.handle, scratch.data(), 16384) == kOk);
  CHECK(gemm() == kOk);
  const Values left = scratch.values();
  CHECK(std::isnan(left[4095]));
  CHECK(left[4096] == 1.0f);
  CHECK(c.values() == Values{2});
  CHECK(cublasCreate(nullptr) == kInvalid);
  CHECK(cublasDestroy(nullptr) == CUBLAS_STATUS_NOT_INITIALIZED);
}
