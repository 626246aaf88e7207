// Handles and descriptors. What cuDNN's documentation refuses is refused: null pointers, sizes that are not
// positive, negative padding. What it supports and this stand-in does not (other types and layouts) is
// CUDNN_STATUS_NOT_SUPPORTED.
#include "standins/cudnn_objects.h"

using namespace vgpu::standin;

namespace {

cudnnStatus_t only_float_nchw(cudnnDataType_t type, cudnnTensorFormat_t format) {
  if (type != CUDNN_DATA_FLOAT || format != CUDNN_TENSOR_NCHW) return CUDNN_STATUS_NOT_SUPPORTED;
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

STANDIN_EXPORT size_t cudnnGetVersion() {
  return CUDNN_VERSION;
}

STANDIN_EXPORT const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_INITIALIZED:
      return "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_EXECUTION_FAILED:
      return "CUDNN_STATUS_EXECUTION_FAILED";
    default:
      return "CUDNN_STATUS_UNKNOWN";
  }
}

STANDIN_EXPORT cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return CUDNN_STATUS_NOT_INITIALIZED;
  return create(handle);
}

STANDIN_EXPORT cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  return destroy(handle);
}

STANDIN_EXPORT cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  if (handle == nullptr) return CUDNN_STATUS_BAD_PARAM;
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

STANDIN_EXPORT cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensor) {
  return create(tensor);
}

STANDIN_EXPORT cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) {
  return destroy(tensor);
}

STANDIN_EXPORT cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor,
                                                        cudnnTensorFormat_t format, cudnnDataType_t type,
                                                        int n, int c, int h, int w) {
  if (tensor == nullptr || n <= 0 || c <= 0 || h <= 0 || w <= 0) return CUDNN_STATUS_BAD_PARAM;
  // More than 2 Giga-elements are refused, so says the documentation.
  if (static_cast<double>(n) * c * h * w > 2147483647.0) return CUDNN_STATUS_NOT_SUPPORTED;
  *tensor = {n, c, h, w};
  return only_float_nchw(type, format);
}

STANDIN_EXPORT cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* filter) {
  return create(filter);
}

STANDIN_EXPORT cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filter) {
  return destroy(filter);
}

STANDIN_EXPORT cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                                        cudnnTensorFormat_t format, int k, int c, int r,
                                                        int s) {
  if (filter == nullptr || k <= 0 || c <= 0 || r <= 0 || s <= 0) return CUDNN_STATUS_BAD_PARAM;
  *filter = {k, c, r, s};
  return only_float_nchw(type, format);
}

STANDIN_EXPORT cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* conv) {
  return create(conv);
}

STANDIN_EXPORT cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t conv) {
  return destroy(conv);
}

STANDIN_EXPORT cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t conv, int pad_h,
                                                             int pad_w, int stride_h, int stride_w,
                                                             int dilation_h, int dilation_w,
                                                             cudnnConvolutionMode_t mode,
                                                             cudnnDataType_t compute) {
  if (conv == nullptr || pad_h < 0 || pad_w < 0 || stride_h <= 0 || stride_w <= 0 || dilation_h <= 0 ||
      dilation_w <= 0 || (mode != CUDNN_CONVOLUTION && mode != CUDNN_CROSS_CORRELATION)) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  *conv = {pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w, mode, conv->math};
  return only_float_nchw(compute, CUDNN_TENSOR_NCHW);
}

STANDIN_EXPORT cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t conv,
                                                         cudnnMathType_t math) {
  if (conv == nullptr || math < CUDNN_DEFAULT_MATH || math > CUDNN_FMA_MATH) return CUDNN_STATUS_BAD_PARAM;
  conv->math = math;
  return CUDNN_STATUS_SUCCESS;
}

STANDIN_EXPORT cudnnStatus_t cudnnCreatePoolingDescriptor(cudnnPoolingDescriptor_t* pooling) {
  return create(pooling);
}

STANDIN_EXPORT cudnnStatus_t cudnnDestroyPoolingDescriptor(cudnnPoolingDescriptor_t pooling) {
  return destroy(pooling);
}

STANDIN_EXPORT cudnnStatus_t cudnnSetPooling2dDescriptor(cudnnPoolingDescriptor_t pooling,
                                                         cudnnPoolingMode_t mode, cudnnNanPropagation_t nan,
                                                         int window_h, int window_w, int pad_h, int pad_w,
                                                         int stride_h, int stride_w) {
  if (pooling == nullptr || window_h <= 0 || window_w <= 0 || stride_h <= 0 || stride_w <= 0 || pad_h < 0 ||
      pad_w < 0 || mode < CUDNN_POOLING_MAX || mode > CUDNN_POOLING_MAX_DETERMINISTIC) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  *pooling = {mode, nan, window_h, window_w, pad_h, pad_w, stride_h, stride_w};
  return CUDNN_STATUS_SUCCESS;
}

STANDIN_EXPORT cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t* activation) {
  return create(activation);
}

STANDIN_EXPORT cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t activation) {
  return destroy(activation);
}

STANDIN_EXPORT cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t activation,
                                                          cudnnActivationMode_t mode,
                                                          cudnnNanPropagation_t nan, double) {
  if (activation == nullptr) return CUDNN_STATUS_BAD_PARAM;
  if (mode != CUDNN_ACTIVATION_RELU) return CUDNN_STATUS_NOT_SUPPORTED;
  *activation = {mode, nan};
  return CUDNN_STATUS_SUCCESS;
}
