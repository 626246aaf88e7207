#include "kernels/base/backend.h"

#include "kernels/base/error.h"

namespace kernels {

void no_backend(const char* op, Backend backend) {
  const char* name = backend == Backend::Cuda ? "CUDA" : "CPU";
  throw Error(ExitCode::DeviceUnavailable, {.where = op,
                                            .what = fmt::format("this build has no {} kernels", name),
                                            .expected = "a backend of this build: cpu",
                                            .got = backend_name(backend),
                                            .hint = "use --device cpu"});
}

}  // namespace kernels
