// Device arrays seen from a stand-in: copied to the host behind everything queued in the stream, computed on,
// and copied back. Only the CUDA runtime is used, so the checkers see every byte that is read and written.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

namespace vgpu::standin {

class Transfer {
 public:
  explicit Transfer(cudaStream_t stream) : stream_(stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    ok_ = cudaStreamIsCapturing(stream, &status) == cudaSuccess;
    capturing_ = status != cudaStreamCaptureStatusNone;
  }

  /// Work that waits for the stream cannot be captured.
  bool capturing() const { return capturing_; }
  /// No CUDA error so far.
  bool ok() const { return ok_; }

  std::vector<float> read(const void* from, size_t count) {
    std::vector<float> values(count);
    copy(values.data(), from, count * sizeof(float), cudaMemcpyDeviceToHost);
    return values;
  }
  void write(void* to, const std::vector<float>& values) {
    copy(to, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice);
  }
  /// Leaves NaNs in a workspace, whose content is nobody's business.
  void spoil(void* workspace, size_t bytes) {
    if (bytes > 0) note(cudaMemsetAsync(workspace, 0xff, bytes, stream_));
  }

 private:
  void copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    if (bytes == 0) return;
    note(cudaMemcpyAsync(to, from, bytes, kind, stream_));
    note(cudaStreamSynchronize(stream_));
  }
  void note(cudaError_t error) { ok_ = ok_ && error == cudaSuccess; }

  cudaStream_t stream_;
  bool ok_ = true, capturing_ = false;
};

/// value = alpha * result + beta * old; with beta 0 the old value may be anything, a NaN too.
inline float blend(double alpha, double result, double beta, float old) {
  const double scaled = alpha * result;
  return static_cast<float>(beta == 0.0 ? scaled : scaled + beta * static_cast<double>(old));
}

}  // namespace vgpu::standin
