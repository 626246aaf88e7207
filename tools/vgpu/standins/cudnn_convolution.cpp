// The three directions of a convolution, as plain loops with sums in double:
//   y[n,k,p,q] = sum over c,r,s of x[n,c,h,w] w[k,c,r,s],  h = p stride - pad + r dilation,  w likewise
// The heuristics offer first what a careful caller must turn down: 4 GiB of workspace, a Tensor Core kernel,
// an algorithm that failed, non-deterministic ones. Behind them stands one that fits.
#include "standins/cudnn_objects.h"

using namespace vgpu::standin;

namespace {

constexpr size_t kHuge = size_t{4} << 30;
int last_algorithm = -1;  // of the convolution that ran last

/// The sizes of a call, checked against each other.
struct Sizes {
  const cudnnTensorStruct& x;
  const cudnnFilterStruct& w;
  const cudnnConvolutionStruct& conv;
  const cudnnTensorStruct& y;

  static int output(int size, int pad, int filter, int dilation, int stride) {
    const int room = size + 2 * pad - ((filter - 1) * dilation + 1);
    return room < 0 ? 0 : room / stride + 1;
  }
  bool match() const {
    return x.set() && w.set() && conv.set() && y.set() && x.c == w.c && y.n == x.n && y.c == w.k &&
           y.h == output(x.h, conv.pad_h, w.r, conv.dilation_h, conv.stride_h) &&
           y.w == output(x.w, conv.pad_w, w.s, conv.dilation_w, conv.stride_w);
  }

  /// body(x index, w index, y index) of every product; products with padding are left out.
  template <class Body>
  void for_each_product(const Body& body) const {
    const bool flip = conv.mode == CUDNN_CONVOLUTION;
    for (int n = 0; n < x.n; ++n) {
      for (int k = 0; k < w.k; ++k) {
        for (int c = 0; c < w.c; ++c) {
          for (int r = 0; r < w.r; ++r) {
            for (int s = 0; s < w.s; ++s) {
              const size_t weight =
                  ((static_cast<size_t>(k) * w.c + c) * w.r + (flip ? w.r - 1 - r : r)) * w.s +
                  (flip ? w.s - 1 - s : s);
              for_each_pixel(n, k, c, r, s, [&](size_t in, size_t out) { body(in, weight, out); });
            }
          }
        }
      }
    }
  }

 private:
  template <class Body>
  void for_each_pixel(int n, int k, int c, int r, int s, const Body& body) const {
    for (int p = 0; p < y.h; ++p) {
      const int h = p * conv.stride_h - conv.pad_h + r * conv.dilation_h;
      if (h < 0 || h >= x.h) continue;
      for (int q = 0; q < y.w; ++q) {
        const int v = q * conv.stride_w - conv.pad_w + s * conv.dilation_w;
        if (v < 0 || v >= x.w) continue;
        body(((static_cast<size_t>(n) * x.c + c) * x.h + h) * x.w + v,
             ((static_cast<size_t>(n) * y.c + k) * y.h + p) * y.w + q);
      }
    }
  }
};

/// An algorithm that the stand-in offers.
template <class Algorithm>
struct Offer {
  Algorithm algorithm;
  size_t workspace;
  cudnnDeterminism_t determinism = CUDNN_DETERMINISTIC;
  cudnnMathType_t math = CUDNN_FMA_MATH;
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
};

/// Some bytes that depend on the sizes and are a multiple of nothing.
size_t scratch_bytes(const Sizes& sizes) {
  return sizes.w.size() * sizeof(float) + sizes.y.size() + 52;
}

std::vector<Offer<cudnnConvolutionFwdAlgo_t>> offers(const Sizes& sizes, cudnnConvolutionFwdAlgo_t) {
  return {{CUDNN_CONVOLUTION_FWD_ALGO_FFT, kHuge},
          {CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD, 0, CUDNN_DETERMINISTIC, CUDNN_FMA_MATH,
           CUDNN_STATUS_NOT_SUPPORTED},
          {CUDNN_CONVOLUTION_FWD_ALGO_GEMM, 0, CUDNN_DETERMINISTIC, CUDNN_TENSOR_OP_MATH},
          {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, scratch_bytes(sizes)},
          {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, 0}};
}

std::vector<Offer<cudnnConvolutionBwdDataAlgo_t>> offers(const Sizes& sizes, cudnnConvolutionBwdDataAlgo_t) {
  return {{CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT, kHuge},
          {CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, 0, CUDNN_NON_DETERMINISTIC},
          {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, scratch_bytes(sizes)}};
}

std::vector<Offer<cudnnConvolutionBwdFilterAlgo_t>> offers(const Sizes& sizes,
                                                           cudnnConvolutionBwdFilterAlgo_t) {
  return {{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, 0, CUDNN_NON_DETERMINISTIC},
          {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, 4 * sizes.w.size(), CUDNN_NON_DETERMINISTIC},
          {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT, kHuge},
          {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, scratch_bytes(sizes)}};
}

template <class Perf>
cudnnStatus_t get_algorithms(cudnnHandle_t handle, const Sizes& sizes, int requested, int* returned,
                             Perf* results) {
  if (handle == nullptr || any_null(returned, results) || requested < 1 || !sizes.match()) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  *returned = 0;
  for (const auto& offer : offers(sizes, decltype(Perf::algo){})) {
    if (*returned == requested) break;
    results[(*returned)++] = {.algo = offer.algorithm,
                              .status = offer.status,
                              .time = -1.0f,
                              .memory = offer.workspace,
                              .determinism = offer.determinism,
                              .mathType = offer.math};
  }
  return CUDNN_STATUS_SUCCESS;
}

template <class Algorithm>
cudnnStatus_t workspace_size(cudnnHandle_t handle, const Sizes& sizes, Algorithm algorithm, size_t* bytes) {
  if (handle == nullptr || bytes == nullptr || !sizes.match()) return CUDNN_STATUS_BAD_PARAM;
  for (const auto& offer : offers(sizes, Algorithm{})) {
    if (offer.algorithm != algorithm || offer.status != CUDNN_STATUS_SUCCESS) continue;
    *bytes = offer.workspace;
    return CUDNN_STATUS_SUCCESS;
  }
  return CUDNN_STATUS_NOT_SUPPORTED;
}

struct Workspace {
  void* data;
  size_t bytes;
};

/// to = alpha * convolution + beta * to, where body(sum, a, b) adds every product of a and b to the sum.
template <class Algorithm, class Body>
cudnnStatus_t run(cudnnHandle_t handle, const Sizes& sizes, Algorithm algorithm, Workspace workspace,
                  const void* alpha, const void* beta, std::pair<const void*, size_t> a,
                  std::pair<const void*, size_t> b, std::pair<void*, size_t> to, const Body& body) {
  if (any_null(alpha, beta, a.first, b.first, to.first)) return CUDNN_STATUS_BAD_PARAM;
  size_t needed = 0;
  const cudnnStatus_t status = workspace_size(handle, sizes, algorithm, &needed);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  if (workspace.bytes < needed || (needed > 0 && workspace.data == nullptr)) return CUDNN_STATUS_BAD_PARAM;
  Transfer transfer(handle->stream);
  if (transfer.capturing()) return CUDNN_STATUS_NOT_SUPPORTED;
  const auto first = transfer.read(a.first, a.second), second = transfer.read(b.first, b.second);
  std::vector<float> result =
      scalar(beta) == 0.0 ? std::vector<float>(to.second) : transfer.read(to.first, to.second);
  std::vector<double> sum(to.second, 0.0);
  body(sum, first, second);
  for (size_t i = 0; i < sum.size(); ++i) result[i] = blend(scalar(alpha), sum[i], scalar(beta), result[i]);
  transfer.spoil(workspace.data, needed);
  transfer.write(to.first, result);
  last_algorithm = algorithm;
  return finish(transfer);
}

cudnnStatus_t max_count(cudnnHandle_t handle, int* count) {
  if (handle == nullptr || count == nullptr) return CUDNN_STATUS_BAD_PARAM;
  *count = 8;
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

/// For tests of callers: the algorithm of the last convolution.
STANDIN_EXPORT int vgpu_standin_last_algorithm() {
  return last_algorithm;
}

STANDIN_EXPORT cudnnStatus_t cudnnGetConvolutionForwardAlgorithmMaxCount(cudnnHandle_t handle, int* count) {
  return max_count(handle, count);
}

STANDIN_EXPORT cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithmMaxCount(cudnnHandle_t handle,
                                                                              int* count) {
  return max_count(handle, count);
}

STANDIN_EXPORT cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(cudnnHandle_t handle,
                                                                                int* count) {
  return max_count(handle, count);
}

STANDIN_EXPORT cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t w,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t y, const int requested,
    int* returned, cudnnConvolutionFwdAlgoPerf_t* results) {
  if (any_null(x, w, conv, y)) return CUDNN_STATUS_BAD_PARAM;
  return get_algorithms(handle, {*x, *w, *conv, *y}, requested, returned, results);
}

STANDIN_EXPORT cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
    cudnnHandle_t handle, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t dx, const int requested,
    int* returned, cudnnConvolutionBwdDataAlgoPerf_t* results) {
  if (any_null(w, dy, conv, dx)) return CUDNN_STATUS_BAD_PARAM;
  return get_algorithms(handle, {*dx, *w, *conv, *dy}, requested, returned, results);
}

STANDIN_EXPORT cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnFilterDescriptor_t dw, const int requested,
    int* returned, cudnnConvolutionBwdFilterAlgoPerf_t* results) {
  if (any_null(x, dy, conv, dw)) return CUDNN_STATUS_BAD_PARAM;
  return get_algorithms(handle, {*x, *dw, *conv, *dy}, requested, returned, results);
}

STANDIN_EXPORT cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t w,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t y,
    cudnnConvolutionFwdAlgo_t algorithm, size_t* bytes) {
  if (any_null(x, w, conv, y)) return CUDNN_STATUS_BAD_PARAM;
  return workspace_size(handle, {*x, *w, *conv, *y}, algorithm, bytes);
}

STANDIN_EXPORT cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    cudnnHandle_t handle, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t dx,
    cudnnConvolutionBwdDataAlgo_t algorithm, size_t* bytes) {
  if (any_null(w, dy, conv, dx)) return CUDNN_STATUS_BAD_PARAM;
  return workspace_size(handle, {*dx, *w, *conv, *dy}, algorithm, bytes);
}

STANDIN_EXPORT cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnFilterDescriptor_t dw,
    cudnnConvolutionBwdFilterAlgo_t algorithm, size_t* bytes) {
  if (any_null(x, dy, conv, dw)) return CUDNN_STATUS_BAD_PARAM;
  return workspace_size(handle, {*x, *dw, *conv, *dy}, algorithm, bytes);
}

STANDIN_EXPORT cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                                     const cudnnTensorDescriptor_t x_desc, const void* x,
                                                     const cudnnFilterDescriptor_t w_desc, const void* w,
                                                     const cudnnConvolutionDescriptor_t conv,
                                                     cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
                                                     size_t bytes, const void* beta,
                                                     const cudnnTensorDescriptor_t y_desc, void* y) {
  if (any_null(x_desc, w_desc, conv, y_desc)) return CUDNN_STATUS_BAD_PARAM;
  const Sizes sizes{*x_desc, *w_desc, *conv, *y_desc};
  return run(handle, sizes, algorithm, {workspace, bytes}, alpha, beta, {x, x_desc->size()},
             {w, w_desc->size()}, {y, y_desc->size()}, [&](auto& sum, const auto& xs, const auto& ws) {
               sizes.for_each_product([&](size_t in, size_t weight, size_t out) {
                 sum[out] += static_cast<double>(xs[in]) * static_cast<double>(ws[weight]);
               });
             });
}

STANDIN_EXPORT cudnnStatus_t cudnnConvolutionBackwardData(
    cudnnHandle_t handle, const void* alpha, const cudnnFilterDescriptor_t w_desc, const void* w,
    const cudnnTensorDescriptor_t dy_desc, const void* dy, const cudnnConvolutionDescriptor_t conv,
    cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace, size_t bytes, const void* beta,
    const cudnnTensorDescriptor_t dx_desc, void* dx) {
  if (any_null(w_desc, dy_desc, conv, dx_desc)) return CUDNN_STATUS_BAD_PARAM;
  const Sizes sizes{*dx_desc, *w_desc, *conv, *dy_desc};
  return run(handle, sizes, algorithm, {workspace, bytes}, alpha, beta, {w, w_desc->size()},
             {dy, dy_desc->size()}, {dx, dx_desc->size()}, [&](auto& sum, const auto& ws, const auto& dys) {
               sizes.for_each_product([&](size_t in, size_t weight, size_t out) {
                 sum[in] += static_cast<double>(dys[out]) * static_cast<double>(ws[weight]);
               });
             });
}

STANDIN_EXPORT cudnnStatus_t cudnnConvolutionBackwardFilter(
    cudnnHandle_t handle, const void* alpha, const cudnnTensorDescriptor_t x_desc, const void* x,
    const cudnnTensorDescriptor_t dy_desc, const void* dy, const cudnnConvolutionDescriptor_t conv,
    cudnnConvolutionBwdFilterAlgo_t algorithm, void* workspace, size_t bytes, const void* beta,
    const cudnnFilterDescriptor_t dw_desc, void* dw) {
  if (any_null(x_desc, dy_desc, conv, dw_desc)) return CUDNN_STATUS_BAD_PARAM;
  const Sizes sizes{*x_desc, *dw_desc, *conv, *dy_desc};
  return run(handle, sizes, algorithm, {workspace, bytes}, alpha, beta, {x, x_desc->size()},
             {dy, dy_desc->size()}, {dw, dw_desc->size()}, [&](auto& sum, const auto& xs, const auto& dys) {
               sizes.for_each_product([&](size_t in, size_t weight, size_t out) {
                 sum[weight] += static_cast<double>(dys[out]) * static_cast<double>(xs[in]);
               });
             });
}
