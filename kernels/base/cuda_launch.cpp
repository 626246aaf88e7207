#include "kernels/base/cuda_launch.h"

#include <atomic>
#include <cstdlib>
#include <string>

#include "kernels/base/error.h"

namespace kernels::cuda {

namespace {

std::atomic<const char*> last{"none"};

bool blocking() {
  static const bool on = std::getenv("CPM_CUDA_BLOCKING") != nullptr;
  return on;
}

bool is_machines_fault(cudaError_t error) {
  return error == cudaErrorMemoryAllocation || error == cudaErrorNoDevice ||
         error == cudaErrorInsufficientDriver || error == cudaErrorNoKernelImageForDevice ||
         error == cudaErrorInvalidDevice || error == cudaErrorDevicesUnavailable;
}

std::string place(const Site& site) {
  std::string text = fmt::format("CUDA {}", site.kernel);
  for (const auto& [name, value] : site.sizes) text += fmt::format(" {} {}", name, value);
  return text;
}

}  // namespace

void check(cudaError_t error, const Site& site) {
  if (error == cudaSuccess) return;
  (void)cudaGetLastError();  // it is told here; the next check must not find it again
  const std::string got =
      fmt::format("{} ({}): {}", cudaGetErrorName(error), static_cast<int>(error), cudaGetErrorString(error));
  throw Error(is_machines_fault(error) ? ExitCode::DeviceUnavailable : ExitCode::Internal,
              {.where = place(site),
               .what = "the device reports an error",
               .expected = "success",
               .got = got,
               .hint = "CPM_CUDA_BLOCKING=1 names the failing kernel"});
}

void use_device(int device) {
  check(cudaSetDevice(device), {"set device", {{"device", device}}});
}

void require(bool holds, const char* promise, const Site& site) {
  if (holds) return;
  throw Error(ExitCode::Internal, {.where = place(site),
                                   .what = "the caller broke a promise",
                                   .expected = promise,
                                   .got = "",
                                   .hint = ""});
}

void check_launch(const Exec& exec, const Site& site) {
  last = site.kernel;
  check(cudaGetLastError(), site);
  if (blocking()) check(cudaStreamSynchronize(stream_of(exec)), site);
}

const char* last_kernel() {
  return last;
}

}  // namespace kernels::cuda
