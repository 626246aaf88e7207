// The cuDNN stand-in's convolutions: numbers worked out by hand, and what cuDNN's documentation refuses.
#include <cudnn.h>

#include <cmath>

#include "tests/standins/device_array.h"

using vgpu::test::DeviceArray;
using Values = std::vector<float>;

namespace {

constexpr auto kOk = CUDNN_STATUS_SUCCESS;
constexpr auto kBad = CUDNN_STATUS_BAD_PARAM;
constexpr auto kUnsupported = CUDNN_STATUS_NOT_SUPPORTED;
constexpr auto kFprop = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM;  // needs no workspace
const float kZero = 0.0f, kOne = 1.0f, kTwo = 2.0f;

/// x [1,1,2,3], w [1,1,1,2], no padding: y [1,1,2,2].
struct Small {
  cudnnHandle_t handle = nullptr;
  cudnnTensorDescriptor_t x = nullptr, y = nullptr;
  cudnnFilterDescriptor_t w = nullptr;
  cudnnConvolutionDescriptor_t conv = nullptr;

  Small() {
    REQUIRE(cudnnCreate(&handle) == kOk);
    REQUIRE(cudnnCreateTensorDescriptor(&x) == kOk);
    REQUIRE(cudnnCreateTensorDescriptor(&y) == kOk);
    REQUIRE(cudnnCreateFilterDescriptor(&w) == kOk);
    REQUIRE(cudnnCreateConvolutionDescriptor(&conv) == kOk);
    tensor(x, 1, 1, 2, 3);
    tensor(y, 1, 1, 2, 2);
    filter(1, 1, 1, 2);
    convolution(0, 0, 1);
  }
  ~Small() {
    cudnnDestroyConvolutionDescriptor(conv);
    cudnnDestroyFilterDescriptor(w);
    cudnnDestroyTensorDescriptor(y);
    cudnnDestroyTensorDescriptor(x);
    cudnnDestroy(handle);
  }

  static void tensor(cudnnTensorDescriptor_t descriptor, int n, int c, int h, int width) {
    REQUIRE(cudnnSetTensor4dDescriptor(descriptor, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, n, c, h, width) ==
            kOk);
  }
  void filter(int k, int c, int r, int s) {
    REQUIRE(cudnnSetFilter4dDescriptor(w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, k, c, r, s) == kOk);
  }
  void convolution(int pad_h, int pad_w, int stride, int dilation = 1,
                   cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION) {
    REQUIRE(cudnnSetConvolution2dDescriptor(conv, pad_h, pad_w, stride, stride, dilation, dilation, mode,
                                            CUDNN_DATA_FLOAT) == kOk);
  }
  cudnnStatus_t forward(const DeviceArray& xs, const DeviceArray& ws, DeviceArray& ys,
                        const float* alpha = &kOne, const float* beta = &kZero) {
    return cudnnConvolutionForward(handle, alpha, x, xs.data(), w, ws.data(), conv, kFprop, nullptr, 0, beta,
                                   y, ys.data());
  }
};

const Values kX{1, 2, 3, 4, 5, 6}, kW{10, 1}, kNans(4, NAN);

}  // namespace

TEST_CASE("cudnn stand-in: a convolution by hand, alpha and beta") {
  Small s;
  DeviceArray x(kX), w(kW), y(kNans);
  REQUIRE(s.forward(x, w, y) == kOk);  // beta 0 reads no NaN
  CHECK(y.values() == Values{12, 23, 45, 56});
  REQUIRE(s.forward(x, w, y, &kTwo, &kOne) == kOk);
  CHECK(y.values() == Values{36, 69, 135, 168});
  s.convolution(0, 0, 1, 1, CUDNN_CONVOLUTION);  // turned kernel
  REQUIRE(s.forward(x, w, y) == kOk);
  CHECK(y.values() == Values{21, 32, 54, 65});
}

TEST_CASE("cudnn stand-in: padding, stride and dilation") {
  Small s;
  DeviceArray x(kX), w(kW);
  s.convolution(0, 1, 1);
  s.tensor(s.y, 1, 1, 2, 4);
  DeviceArray padded(Values(8, NAN));
  REQUIRE(s.forward(x, w, padded) == kOk);
  CHECK(padded.values() == Values{1, 12, 23, 30, 4, 45, 56, 60});
  s.convolution(0, 1, 2);
  s.tensor(s.y, 1, 1, 1, 2);
  DeviceArray strided(Values(2, NAN));
  REQUIRE(s.forward(x, w, strided) == kOk);
  CHECK(strided.values() == Values{1, 23});
  s.convolution(0, 0, 1, 2);
  s.tensor(s.y, 1, 1, 2, 1);
  DeviceArray dilated(Values(2, NAN));
  REQUIRE(s.forward(x, w, dilated) == kOk);
  CHECK(dilated.values() == Values{13, 46});
}

TEST_CASE("cudnn stand-in: gradients by hand") {
  Small s;
  DeviceArray x(kX), w(kW), dy(Values{1, 2, 3, 4}), dx(Values(6, NAN)), dw(Values{100, 200});
  size_t bytes = 0;
  REQUIRE(cudnnGetConvolutionBackwardDataWorkspaceSize(s.handle, s.w, s.y, s.conv, s.x,
                                                       CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, &bytes) == kOk);
  REQUIRE(bytes > 0);
  DeviceArray scratch(Values(bytes / 4 + 1));
  REQUIRE(cudnnConvolutionBackwardData(s.handle, &kOne, s.w, w.data(), s.y, dy.data(), s.conv,
                                       CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, scratch.data(), bytes, &kZero, s.x,
                                       dx.data()) == kOk);
  CHECK(dx.values() == Values{10, 21, 2, 30, 43, 4});
  CHECK(std::isnan(scratch.values()[0]));  // a workspace's content is lost
  REQUIRE(cudnnConvolutionBackwardFilter(s.handle, &kOne, s.x, x.data(), s.y, dy.data(), s.conv,
                                         CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, nullptr, 0, &kOne, s.w,
                                         dw.data()) == kOk);
  CHECK(dw.values() == Values{137, 247});
}

TEST_CASE("cudnn stand-in: refuses null pointers and sizes that do not match") {
  Small s;
  DeviceArray x(kX), w(kW), y(kNans);
  CHECK(s.forward(x, w, y, nullptr) == kBad);
  CHECK(s.forward(x, w, y, &kOne, nullptr) == kBad);
  CHECK(cudnnConvolutionForward(nullptr, &kOne, s.x, x.data(), s.w, w.data(), s.conv, kFprop, nullptr, 0,
                                &kZero, s.y, y.data()) == kBad);
  CHECK(cudnnConvolutionForward(s.handle, &kOne, s.x, nullptr, s.w, w.data(), s.conv, kFprop, nullptr, 0,
                                &kZero, s.y, y.data()) == kBad);
  CHECK(cudnnConvolutionForward(s.handle, &kOne, s.x, x.data(), nullptr, w.data(), s.conv, kFprop, nullptr, 0,
                                &kZero, s.y, y.data()) == kBad);
  s.filter(1, 2, 1, 2);  // channels of x and w differ
  CHECK(s.forward(x, w, y) == kBad);
  s.filter(2, 1, 1, 2);  // channels of y and kernels differ
  CHECK(s.forward(x, w, y) == kBad);
  s.filter(1, 1, 1, 2);
  s.tensor(s.y, 1, 1, 2, 3);  // not the size that follows
  CHECK(s.forward(x, w, y) == kBad);
  s.tensor(s.y, 2, 1, 2, 2);  // another batch
  CHECK(s.forward(x, w, y) == kBad);
  s.filter(1, 1, 3, 2);  // higher than the image
  CHECK(s.forward(x, w, y) == kBad);
  for (const float value : y.values()) CHECK(std::isnan(value));  // refused calls write nothing
}

TEST_CASE("cudnn stand-in: refuses bad descriptors") {
  Small s;
  const auto nchw = CUDNN_TENSOR_NCHW;
  const auto type = CUDNN_DATA_FLOAT;
  CHECK(cudnnCreate(nullptr) == kBad);
  CHECK(cudnnCreateTensorDescriptor(nullptr) == kBad);
  CHECK(cudnnSetTensor4dDescriptor(nullptr, nchw, type, 1, 1, 1, 1) == kBad);
  CHECK(cudnnSetTensor4dDescriptor(s.x, nchw, type, 0, 1, 1, 1) == kBad);
  CHECK(cudnnSetTensor4dDescriptor(s.x, nchw, type, 1, 1, -1, 1) == kBad);
  CHECK(cudnnSetTensor4dDescriptor(s.x, nchw, type, 1 << 11, 1 << 10, 1 << 10, 1) == kUnsupported);
  CHECK(cudnnSetTensor4dDescriptor(s.x, CUDNN_TENSOR_NHWC, type, 1, 1, 1, 1) == kUnsupported);
  CHECK(cudnnSetTensor4dDescriptor(s.x, nchw, CUDNN_DATA_HALF, 1, 1, 1, 1) == kUnsupported);
  CHECK(cudnnSetFilter4dDescriptor(s.w, type, nchw, 1, 0, 1, 1) == kBad);
  CHECK(cudnnSetFilter4dDescriptor(s.w, type, CUDNN_TENSOR_NHWC, 1, 1, 1, 1) == kUnsupported);
  const auto mode = CUDNN_CROSS_CORRELATION;
  CHECK(cudnnSetConvolution2dDescriptor(s.conv, -1, 0, 1, 1, 1, 1, mode, type) == kBad);
  CHECK(cudnnSetConvolution2dDescriptor(s.conv, 0, 0, 0, 1, 1, 1, mode, type) == kBad);
  CHECK(cudnnSetConvolution2dDescriptor(s.conv, 0, 0, 1, 1, 1, 0, mode, type) == kBad);
  CHECK(cudnnSetConvolution2dDescriptor(nullptr, 0, 0, 1, 1, 1, 1, mode, type) == kBad);
  CHECK(cudnnSetConvolution2dDescriptor(s.conv, 0, 0, 1, 1, 1, 1, mode, CUDNN_DATA_HALF) == kUnsupported);
  CHECK(cudnnSetConvolutionMathType(nullptr, CUDNN_FMA_MATH) == kBad);
  CHECK(cudnnSetConvolutionMathType(s.conv, static_cast<cudnnMathType_t>(9)) == kBad);
  CHECK(cudnnSetStream(nullptr, nullptr) == kBad);
  CHECK(std::string(cudnnGetErrorString(kBad)) == "CUDNN_STATUS_BAD_PARAM");
  CHECK(cudnnGetVersion() == CUDNN_VERSION);
}

TEST_CASE("cudnn stand-in: the heuristics offer what must be turned down first, and workspaces are checked") {
  Small s;
  DeviceArray x(kX), dy(Values{1, 2, 3, 4}), dw(Values(2, NAN));
  cudnnConvolutionBwdFilterAlgoPerf_t offers[8];
  int count = 0;
  REQUIRE(cudnnGetConvolutionBackwardFilterAlgorithm_v7(s.handle, s.x, s.y, s.conv, s.w, 8, &count, offers) ==
          kOk);
  REQUIRE(count == 4);
  CHECK(offers[0].determinism == CUDNN_NON_DETERMINISTIC);
  CHECK(offers[2].memory > size_t{1} << 30);
  CHECK(offers[3].algo == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
  const size_t bytes = offers[3].memory;
  DeviceArray scratch(Values(bytes / 4 + 1));
  const auto run = [&](void* workspace, size_t size, cudnnConvolutionBwdFilterAlgo_t algorithm) {
    return cudnnConvolutionBackwardFilter(s.handle, &kOne, s.x, x.data(), s.y, dy.data(), s.conv, algorithm,
                                          workspace, size, &kZero, s.w, dw.data());
  };
  CHECK(run(scratch.data(), bytes - 1, offers[3].algo) == kBad);
  CHECK(run(nullptr, bytes, offers[3].algo) == kBad);
  CHECK(run(scratch.data(), bytes, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD) == kUnsupported);
  CHECK(run(scratch.data(), bytes, offers[3].algo) == kOk);
  CHECK(dw.values() == Values{37, 47});
  REQUIRE(cudnnGetConvolutionBackwardFilterAlgorithm_v7(s.handle, s.x, s.y, s.conv, s.w, 2, &count, offers) ==
          kOk);
  CHECK(count == 2);
  CHECK(cudnnGetConvolutionBackwardFilterAlgorithm_v7(s.handle, s.x, s.y, s.conv, s.w, 0, &count, offers) ==
        kBad);
  cudnnConvolutionFwdAlgoPerf_t forward[8];
  REQUIRE(cudnnGetConvolutionForwardAlgorithm_v7(s.handle, s.x, s.w, s.conv, s.y, 8, &count, forward) == kOk);
  CHECK(forward[1].status == kUnsupported);
  CHECK(forward[2].mathType == CUDNN_TENSOR_OP_MATH);
}

TEST_CASE("cudnn stand-in: cannot be captured") {
  Small s;
  DeviceArray x(kX), w(kW), y(kNans);
  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
  REQUIRE(cudnnSetStream(s.handle, stream) == kOk);
  REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  CHECK(s.forward(x, w, y) == kUnsupported);
  cudaGraph_t graph = nullptr;
  REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
  cudaGraphDestroy(graph);
  CHECK(s.forward(x, w, y) == kOk);
  cudaStreamDestroy(stream);
}
