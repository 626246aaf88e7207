#include "kernels/base/error.h"
#include "tools/cli.h"

namespace tools {

kernels::DType parse_precision(const std::string& precision, const kernels::Exec& exec) {
  if (precision == "fp32") return kernels::DType::F32;
  if (precision == "fp64" && exec.backend == kernels::Backend::Cpu) return kernels::DType::F64;
  const bool later = precision == "tf32" || precision == "bf16";
  throw kernels::Error(kernels::ExitCode::Usage,
                       {.where = "--precision",
                        .what = later || precision == "fp64" ? "not available" : "unknown precision",
                        .expected = exec.backend == kernels::Backend::Cpu ? "fp32 or fp64" : "fp32",
                        .got = precision});
}

}  // namespace tools
