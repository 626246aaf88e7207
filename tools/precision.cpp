#include "kernels/base/error.h"
#include "tools/cli.h"

namespace tools {

kernels::DType parse_precision(const std::string& precision, const kernels::Exec& exec) {
  if (precision == "fp32") return kernels::DType::F32;
  if (precision == "fp64" && exec.backend == kernels::Backend::Cpu) return kernels::DType::F64;
  const bool later = precision == "tf32" || precision == "bf16", elsewhere = precision == "fp64";
  throw kernels::Error(kernels::ExitCode::Usage,
                       {.where = "--precision",
                        .what = later       ? "not available yet"
                                : elsewhere ? "not available on this device"
                                            : "unknown precision",
                        .expected = exec.backend == kernels::Backend::Cpu ? "fp32 or fp64" : "fp32",
                        .got = precision,
                        .hint = elsewhere ? "--device cpu has it" : "leave it out to compute in fp32"});
}

}  // namespace tools
