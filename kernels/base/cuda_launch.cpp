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

}  // namespace

void check(cudaError_t error, const Site& site) {
  if (error == cudaSuccess) return;
  (void)cudaGetLastError();  // it is told here; the next check must not find it again
  std::string sizes;
  for (const auto& [name, value] : site.sizes) sizes += fmt::format(" {} {}", name, value);
  const std::string got =
      fmt::format("{} ({}): {}", cudaGetErrorName(error), static_cast<int>(error), cudaGetErrorString(error));
  throw Error(is_machines_fault(error) ? ExitCode::DeviceUnavailable : ExitCode::Internal,
              {.where = fmt::format("CUDA {}{}", site.kernel, sizes),
               .what = "the device reports an error",
               .expected = "success",
               .got = got,
               .hint = "CPM_CUDA_BLOCKING=1 names the failing kernel"});
}

void use_device(int device) {
  check(cudaSetDevice(device), {"set device", {{"device", device}}});
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
