// The cuDNN stand-in's pooling and ReLU: numbers worked out by hand, and what cuDNN's documentation refuses.
#include <cudnn.h>

#include <cmath>

#include "tests/standins/device_array.h"

using vgpu::test::DeviceArray;
using Values = std::vector<float>;

namespace {

constexpr auto kOk = CUDNN_STATUS_SUCCESS;
constexpr auto kBad = CUDNN_STATUS_BAD_PARAM;
const float kZero = 0.0f, kOne = 1.0f, kTwo = 2.0f;

/// x [1,1,2,3], window 2x2 at stride 2 with a column of padding: y [1,1,1,2].
struct Pool {
  cudnnHandle_t handle = nullptr;
  cudnnTensorDescriptor_t x = nullptr, y = nullptr;
  cudnnPoolingDescriptor_t pool = nullptr;

  explicit Pool(cudnnPoolingMode_t mode, cudnnNanPropagation_t nan = CUDNN_PROPAGATE_NAN) {
    REQUIRE(cudnnCreate(&handle) == kOk);
    REQUIRE(cudnnCreateTensorDescriptor(&x) == kOk);
    REQUIRE(cudnnCreateTensorDescriptor(&y) == kOk);
    REQUIRE(cudnnCreatePoolingDescriptor(&pool) == kOk);
    const auto nchw = CUDNN_TENSOR_NCHW;
    REQUIRE(cudnnSetTensor4dDescriptor(x, nchw, CUDNN_DATA_FLOAT, 1, 1, 2, 3) == kOk);
    REQUIRE(cudnnSetTensor4dDescriptor(y, nchw, CUDNN_DATA_FLOAT, 1, 1, 1, 2) == kOk);
    REQUIRE(cudnnSetPooling2dDescriptor(pool, mode, nan, 2, 2, 0, 1, 2, 2) == kOk);
  }
  ~Pool() {
    cudnnDestroyPoolingDescriptor(pool);
    cudnnDestroyTensorDescriptor(y);
    cudnnDestroyTensorDescriptor(x);
    cudnnDestroy(handle);
  }
  Values forward(const Values& image) {
    DeviceArray xs(image), ys(Values(2, NAN));
    REQUIRE(cudnnPoolingForward(handle, pool, &kOne, x, xs.data(), &kZero, y, ys.data()) == kOk);
    return ys.values();
  }
  Values backward(const Values& image, const Values& gradient, const Values& old, const float* beta) {
    DeviceArray xs(image), ys(forward(image)), dys(gradient), dxs(old);
    REQUIRE(cudnnPoolingBackward(handle, pool, &kOne, y, ys.data(), y, dys.data(), x, xs.data(), beta, x,
                                 dxs.data()) == kOk);
    return dxs.values();
  }
};

const Values kImage{5, 1, 7, -2, 8, 3}, kNans(6, NAN);

}  // namespace

TEST_CASE("cudnn stand-in: max pooling by hand") {
  Pool pool(CUDNN_POOLING_MAX);
  CHECK(pool.forward(kImage) == Values{5, 8});
  CHECK(pool.backward(kImage, {10, 20}, kNans, &kZero) == Values{10, 0, 0, 0, 20, 0});
  CHECK(pool.backward(kImage, {10, 20}, {1, 1, 1, 1, 1, 1}, &kOne) == Values{11, 1, 1, 1, 21, 1});
  CHECK(std::isnan(pool.forward({5, NAN, 7, -2, 8, 3})[1]));
  Pool numbers(CUDNN_POOLING_MAX, CUDNN_NOT_PROPAGATE_NAN);
  CHECK(numbers.forward({5, NAN, 7, -2, 8, 3}) == Values{5, 8});
}

TEST_CASE("cudnn stand-in: average pooling by hand") {
  Pool with(CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING);
  CHECK(with.forward(kImage) == Values{0.75f, 4.75f});
  CHECK(with.backward(kImage, {4, 8}, kNans, &kZero) == Values{1, 2, 2, 1, 2, 2});
  Pool without(CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING);
  CHECK(without.forward(kImage) == Values{1.5f, 4.75f});
}

TEST_CASE("cudnn stand-in: pooling refuses null pointers, sizes that do not match, bad windows") {
  Pool s(CUDNN_POOLING_MAX);
  DeviceArray x(kImage), y(Values(2, NAN));
  CHECK(cudnnPoolingForward(s.handle, s.pool, nullptr, s.x, x.data(), &kZero, s.y, y.data()) == kBad);
  CHECK(cudnnPoolingForward(s.handle, s.pool, &kOne, s.x, x.data(), &kZero, s.y, nullptr) == kBad);
  CHECK(cudnnPoolingForward(s.handle, s.pool, &kOne, s.y, x.data(), &kZero, s.x, y.data()) == kBad);
  CHECK(cudnnPoolingBackward(s.handle, s.pool, &kOne, s.y, y.data(), s.x, y.data(), s.x, x.data(), &kZero,
                             s.x, x.data()) == kBad);
  const auto set = [&](int window, int pad, int stride) {
    return cudnnSetPooling2dDescriptor(s.pool, CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN, window, window, pad,
                                       pad, stride, stride);
  };
  CHECK(set(0, 0, 1) == kBad);
  CHECK(set(2, -1, 1) == kBad);
  CHECK(set(2, 0, 0) == kBad);
  REQUIRE(set(4, 0, 1) == kOk);  // larger than the image
  CHECK(cudnnPoolingForward(s.handle, s.pool, &kOne, s.x, x.data(), &kZero, s.y, y.data()) == kBad);
}

TEST_CASE("cudnn stand-in: ReLU by hand, in place, and its refusals") {
  Pool s(CUDNN_POOLING_MAX);
  cudnnActivationDescriptor_t relu = nullptr;
  REQUIRE(cudnnCreateActivationDescriptor(&relu) == kOk);
  CHECK(cudnnSetActivationDescriptor(relu, CUDNN_ACTIVATION_TANH, CUDNN_PROPAGATE_NAN, 0) ==
        CUDNN_STATUS_NOT_SUPPORTED);
  REQUIRE(cudnnSetActivationDescriptor(relu, CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0) == kOk);
  DeviceArray x({-1, 2, 0, NAN, -3, 4}), dy({1, 2, 3, 4, 5, 6}), dx({1, 1, 1, 1, 1, 1});
  CHECK(cudnnActivationForward(s.handle, relu, &kOne, s.x, x.data(), &kZero, s.y, x.data()) == kBad);
  REQUIRE(cudnnActivationForward(s.handle, relu, &kOne, s.x, x.data(), &kZero, s.x, x.data()) == kOk);
  const Values y = x.values();
  CHECK(Values(y.begin(), y.begin() + 3) == Values{0, 2, 0});
  CHECK(std::isnan(y[3]));
  CHECK(Values(y.begin() + 4, y.end()) == Values{0, 4});
  const auto backward = [&](const float* alpha, const void* gradient) {
    return cudnnActivationBackward(s.handle, relu, alpha, s.x, x.data(), s.x, gradient, s.x, x.data(), &kOne,
                                   s.x, dx.data());
  };
  CHECK(backward(nullptr, dy.data()) == kBad);
  CHECK(backward(&kTwo, nullptr) == kBad);
  REQUIRE(backward(&kTwo, dy.data()) == kOk);
  CHECK(dx.values() == Values{1, 5, 1, 1, 1, 13});
  cudnnDestroyActivationDescriptor(relu);
}
