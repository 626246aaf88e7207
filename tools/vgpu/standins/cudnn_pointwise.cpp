// Pooling and ReLU on the CPU. Max pooling gives a tie's gradient to the first maximum in row-major order,
// which cuDNN leaves open.
#include <cmath>

#include "standins/cudnn_objects.h"

using namespace vgpu::standin;

namespace {

/// The window of output (p, q): rows [top, bottom), columns [left, right) of the image.
struct Window {
  int top, bottom, left, right;

  Window(const cudnnPoolingStruct& pool, const cudnnTensorStruct& x, int p, int q) {
    const int h = p * pool.stride_h - pool.pad_h, w = q * pool.stride_w - pool.pad_w;
    top = std::max(h, 0), bottom = std::min(h + pool.window_h, x.h);
    left = std::max(w, 0), right = std::min(w + pool.window_w, x.w);
  }
  int pixels() const { return (bottom - top) * (right - left); }
};

bool is_max(const cudnnPoolingStruct& pool) {
  return pool.mode == CUDNN_POOLING_MAX || pool.mode == CUDNN_POOLING_MAX_DETERMINISTIC;
}

/// Output size as the documentation computes it, 0 where the window does not fit.
int output(int size, int pad, int window, int stride) {
  const int room = size + 2 * pad - window;
  return room < 0 ? 0 : 1 + room / stride;
}

bool match(const cudnnPoolingStruct& pool, const cudnnTensorStruct& x, const cudnnTensorStruct& y) {
  return pool.set() && x.set() && y.set() && x.n == y.n && x.c == y.c && pool.pad_h < pool.window_h &&
         pool.pad_w < pool.window_w && y.h == output(x.h, pool.pad_h, pool.window_h, pool.stride_h) &&
         y.w == output(x.w, pool.pad_w, pool.window_w, pool.stride_w);
}

double divisor(const cudnnPoolingStruct& pool, const Window& window) {
  return pool.mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING ? pool.window_h * pool.window_w
                                                                  : window.pixels();
}

/// Index in its plane of the first maximum; NaN counts as the largest where it is to be propagated.
int maximum_place(const cudnnPoolingStruct& pool, const Window& window, const float* plane, int width) {
  int best = window.top * width + window.left;
  for (int h = window.top; h < window.bottom; ++h) {
    for (int w = window.left; w < window.right; ++w) {
      const float value = plane[h * width + w], highest = plane[best];
      const bool nan_wins = pool.nan == CUDNN_PROPAGATE_NAN && std::isnan(value) && !std::isnan(highest);
      const bool replaces_nan = pool.nan != CUDNN_PROPAGATE_NAN && std::isnan(highest);
      if (value > highest || nan_wins || replaces_nan) best = h * width + w;
    }
  }
  return best;
}

/// body(window, first pixel of the plane in x, index in y) of every output.
template <class Body>
void for_each_window(const cudnnPoolingStruct& pool, const cudnnTensorStruct& x, const cudnnTensorStruct& y,
                     const Body& body) {
  size_t out = 0;
  for (size_t plane = 0; plane < static_cast<size_t>(x.n) * x.c; ++plane) {
    for (int p = 0; p < y.h; ++p) {
      for (int q = 0; q < y.w; ++q) body(Window(pool, x, p, q), plane * x.h * x.w, out++);
    }
  }
}

double window_value(const cudnnPoolingStruct& pool, const Window& window, const float* plane, int width) {
  if (is_max(pool)) return static_cast<double>(plane[maximum_place(pool, window, plane, width)]);
  double sum = 0.0;
  for (int h = window.top; h < window.bottom; ++h) {
    for (int w = window.left; w < window.right; ++w) sum += static_cast<double>(plane[h * width + w]);
  }
  return sum / divisor(pool, window);
}

void spread(const cudnnPoolingStruct& pool, const Window& window, const float* plane, int width, double dy,
            double* dx) {
  if (is_max(pool)) {
    dx[maximum_place(pool, window, plane, width)] += dy;
    return;
  }
  for (int h = window.top; h < window.bottom; ++h) {
    for (int w = window.left; w < window.right; ++w) dx[h * width + w] += dy / divisor(pool, window);
  }
}

/// to = alpha * values + beta * to.
void write_blend(Transfer& transfer, const void* alpha, const std::vector<double>& values, const void* beta,
                 void* to) {
  std::vector<float> result =
      scalar(beta) == 0.0 ? std::vector<float>(values.size()) : transfer.read(to, values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    result[i] = blend(scalar(alpha), values[i], scalar(beta), result[i]);
  }
  transfer.write(to, result);
}

}  // namespace

STANDIN_EXPORT cudnnStatus_t cudnnPoolingForward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t pool,
                                                 const void* alpha, const cudnnTensorDescriptor_t x_desc,
                                                 const void* x, const void* beta,
                                                 const cudnnTensorDescriptor_t y_desc, void* y) {
  if (any_null(handle, pool, alpha, x_desc, x, beta, y_desc, y)) return CUDNN_STATUS_BAD_PARAM;
  if (!match(*pool, *x_desc, *y_desc)) return CUDNN_STATUS_BAD_PARAM;
  Transfer transfer(handle->stream);
  if (transfer.capturing()) return CUDNN_STATUS_NOT_SUPPORTED;
  const std::vector<float> image = transfer.read(x, x_desc->size());
  std::vector<double> values(y_desc->size());
  for_each_window(*pool, *x_desc, *y_desc, [&](const Window& window, size_t plane, size_t out) {
    values[out] = window_value(*pool, window, image.data() + plane, x_desc->w);
  });
  write_blend(transfer, alpha, values, beta, y);
  return finish(transfer);
}

STANDIN_EXPORT cudnnStatus_t cudnnPoolingBackward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t pool,
                                                  const void* alpha, const cudnnTensorDescriptor_t y_desc,
                                                  const void* y, const cudnnTensorDescriptor_t dy_desc,
                                                  const void* dy, const cudnnTensorDescriptor_t x_desc,
                                                  const void* x, const void* beta,
                                                  const cudnnTensorDescriptor_t dx_desc, void* dx) {
  if (any_null(handle, pool, alpha, y_desc, y, dy_desc, dy, x_desc, x, beta, dx_desc, dx)) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  if (!match(*pool, *x_desc, *y_desc) || *dy_desc != *y_desc || *dx_desc != *x_desc) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  Transfer transfer(handle->stream);
  if (transfer.capturing()) return CUDNN_STATUS_NOT_SUPPORTED;
  const std::vector<float> image = transfer.read(x, x_desc->size());
  const std::vector<float> gradient = transfer.read(dy, dy_desc->size());
  std::vector<double> values(x_desc->size(), 0.0);
  for_each_window(*pool, *x_desc, *y_desc, [&](const Window& window, size_t plane, size_t out) {
    spread(*pool, window, image.data() + plane, x_desc->w, static_cast<double>(gradient[out]),
           values.data() + plane);
  });
  write_blend(transfer, alpha, values, beta, dx);
  return finish(transfer);
}

STANDIN_EXPORT cudnnStatus_t cudnnActivationForward(cudnnHandle_t handle,
                                                    cudnnActivationDescriptor_t activation, const void* alpha,
                                                    const cudnnTensorDescriptor_t x_desc, const void* x,
                                                    const void* beta, const cudnnTensorDescriptor_t y_desc,
                                                    void* y) {
  if (any_null(handle, activation, alpha, x_desc, x, beta, y_desc, y)) return CUDNN_STATUS_BAD_PARAM;
  if (activation->mode != CUDNN_ACTIVATION_RELU || !x_desc->set() || *x_desc != *y_desc) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  Transfer transfer(handle->stream);
  if (transfer.capturing()) return CUDNN_STATUS_NOT_SUPPORTED;
  std::vector<double> values;
  for (const float value : transfer.read(x, x_desc->size())) {
    const bool keep = activation->nan == CUDNN_PROPAGATE_NAN ? !(value < 0.0f) : value > 0.0f;
    values.push_back(keep ? static_cast<double>(value) : 0.0);
  }
  write_blend(transfer, alpha, values, beta, y);
  return finish(transfer);
}

STANDIN_EXPORT cudnnStatus_t cudnnActivationBackward(cudnnHandle_t handle,
                                                     cudnnActivationDescriptor_t activation,
                                                     const void* alpha, const cudnnTensorDescriptor_t y_desc,
                                                     const void* y, const cudnnTensorDescriptor_t dy_desc,
                                                     const void* dy, const cudnnTensorDescriptor_t x_desc,
                                                     const void* x, const void* beta,
                                                     const cudnnTensorDescriptor_t dx_desc, void* dx) {
  if (any_null(handle, activation, alpha, y_desc, y, dy_desc, dy, x_desc, x, beta, dx_desc, dx)) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  if (activation->mode != CUDNN_ACTIVATION_RELU || !x_desc->set() || *y_desc != *x_desc ||
      *dy_desc != *x_desc || *dx_desc != *x_desc) {
    return CUDNN_STATUS_BAD_PARAM;
  }
  Transfer transfer(handle->stream);
  if (transfer.capturing()) return CUDNN_STATUS_NOT_SUPPORTED;
  const std::vector<float> input = transfer.read(x, x_desc->size());
  const std::vector<float> gradient = transfer.read(dy, dy_desc->size());
  std::vector<double> values(input.size());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = input[i] > 0.0f ? static_cast<double>(gradient[i]) : 0.0;
  }
  write_blend(transfer, alpha, values, beta, dx);
  return finish(transfer);
}
