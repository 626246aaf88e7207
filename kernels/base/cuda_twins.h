// Where a build without CUDA links stubs (no_cuda.cpp): the CUDA runtime, nullptr in such a build. The ops do
// the same with their own kernels.
#pragma once

namespace kernels {

class DeviceRuntime;

DeviceRuntime* cuda_device_runtime();

}  // namespace kernels
