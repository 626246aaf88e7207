#include "kernels/base/cudnn_handle.h"

#include <cuda_runtime_api.h>

#include <map>

#include "kernels/base/error.h"
#include "kernels/base/plugin_export.h"

namespace kernels::cudnn {

namespace {

std::mutex mutex;

struct Start {
  cudnnStatus_t status = CUDNN_STATUS_NOT_INITIALIZED;
  cudnnHandle_t handle = nullptr;
};

/// The device's handle, created at the first use; never destroyed, as the driver may be gone before this
/// library. Under the mutex.
const Start& start_on(int device) {
  static std::map<int, Start> starts;
  (void)cudaSetDevice(device);  // a device that is not there shows in the status
  const auto [place, is_new] = starts.try_emplace(device);
  if (is_new) place->second.status = cudnnCreate(&place->second.handle);
  return place->second;
}

}  // namespace

void check(cudnnStatus_t status, const char* call, const std::string& sizes) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  throw Error(ExitCode::Internal, {.where = fmt::format("cuDNN {} {}", call, sizes),
                                   .what = "the library reports an error",
                                   .expected = "success",
                                   .got = fmt::format("{} ({})", cudnnGetErrorString(status), int{status}),
                                   .hint = ""});
}

Handle::Handle(const Exec& exec) : lock_(mutex) {
  const Start& start = start_on(exec.device);
  check(start.status, "cudnnCreate");
  handle_ = start.handle;
  check(cudnnSetStream(handle_, static_cast<cudaStream_t>(exec.stream)), "cudnnSetStream");
}

}  // namespace kernels::cudnn

CPM_PLUGIN_EXPORT const char* cpm_plugin_version() {
  return CPM_VERSION;
}

CPM_PLUGIN_EXPORT void cpm_plugin_missing(const kernels::Exec& exec, std::string* reason) {
  using namespace kernels;
  const std::lock_guard<std::mutex> lock(cudnn::mutex);
  const cudnnStatus_t status = cudnn::start_on(exec.device).status;
  if (status == CUDNN_STATUS_SUCCESS) return;
  const size_t version = cudnnGetVersion();
  *reason = fmt::format("cuDNN {}.{} does not start: {}", version / 10000, version / 100 % 100,
                        cudnnGetErrorString(status));
}
