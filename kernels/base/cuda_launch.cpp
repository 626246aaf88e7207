#include "kernels/base/cuda_launch.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iterator>
#include <string>

#include "kernels/base/error.h"

namespace kernels::cuda {

namespace {

std::atomic<const char*> last{"none"};

bool is_machines_fault(cudaError_t error) {
  constexpr cudaError_t kFaults[] = {cudaErrorMemoryAllocation,      cudaErrorNoDevice,
                                     cudaErrorInsufficientDriver,    cudaErrorNoKernelImageForDevice,
                                     cudaErrorInvalidDevice,         cudaErrorDevicesUnavailable,
                                     cudaErrorUnsupportedPtxVersion, cudaErrorJitCompilerNotFound,
                                     cudaErrorSystemDriverMismatch,  cudaErrorCompatNotSupportedOnDevice};
  return std::find(std::begin(kFaults), std::end(kFaults), error) != std::end(kFaults);
}

/// What to do about an error, empty where its own text says it.
const char* hint_for(cudaError_t error) {
  if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorUnsupportedPtxVersion)
    return "build for this device: -DCPM_CUDA_ARCHITECTURES=native";
  return is_machines_fault(error) ? "" : "CPM_CUDA_BLOCKING=1 names the failing kernel";
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
               .hint = hint_for(error)});
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

bool blocking() {
  static const bool on = std::getenv("CPM_CUDA_BLOCKING") != nullptr;
  return on;
}

void set_last_kernel(const char* name) {
  last = name;
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
