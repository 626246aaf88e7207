// The one place that says a build lacks a backend.
#pragma once

#include "kernels/base/exec.h"

namespace kernels {

/// Throws DeviceUnavailable: this build has no kernels of `backend` for `op` ("relu", "max pooling", ...).
[[noreturn]] void no_backend(const char* op, Backend backend);

}  // namespace kernels
