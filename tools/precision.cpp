#include "kernels/base/error.h"
#include "tools/cli.h"

namespace tools {

kernels::DType parse_precision(const std::string& precision) {
  if (precision == "fp32") return kernels::DType::F32;
  if (precision == "fp64") return kernels::DType::F64;
  const bool later = precision == "tf32" || precision == "bf16";
  throw kernels::Error(kernels::ExitCode::Usage,
                       {.where = "--precision",
                        .what = later ? "this version computes in fp32 only" : "unknown precision",
                        .expected = "fp32 or fp64",
                        .got = precision});
}

}  // namespace tools
