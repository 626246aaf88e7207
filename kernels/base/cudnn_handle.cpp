#include "kernels/base/cudnn_handle.h"

#include "kernels/base/cuda_library_handles.h"
#include "kernels/base/error.h"
#include "kernels/base/plugin_export.h"

namespace kernels::cudnn {

namespace {

using Handles = LibraryHandles<cudnnHandle_t, cudnnStatus_t, cudnnCreate>;

}  // namespace

void check(cudnnStatus_t status, const char* call, const std::string& sizes) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  throw Error(ExitCode::Internal, {.where = fmt::format("cuDNN {} {}", call, sizes),
                                   .what = "the library reports an error",
                                   .expected = "success",
                                   .got = fmt::format("{} ({})", cudnnGetErrorString(status), int{status}),
                                   .hint = ""});
}

Handle::Handle(const Exec& exec) : lock_(Handles::mutex()) {
  const auto& start = Handles::on(exec.device);
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
  const std::lock_guard<std::mutex> lock(cudnn::Handles::mutex());
  const cudnnStatus_t status = cudnn::Handles::on(exec.device).status;
  if (status == CUDNN_STATUS_SUCCESS) return;
  const size_t version = cudnnGetVersion();
  *reason = fmt::format("cuDNN {}.{} does not start: {}", version / 10000, version / 100 % 100,
                        cudnnGetErrorString(status));
}
