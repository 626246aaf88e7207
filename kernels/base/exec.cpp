#include "kernels/base/exec.h"

#include <cstdlib>
#include <string>

#include "kernels/base/error.h"

namespace kernels {

namespace {

Isa detect_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
    return Isa::Avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::Avx2;
#endif
  return Isa::Portable;
}

Isa choose_isa() {
  const Isa detected = detect_isa();
  const char* wanted = std::getenv("CPM_ISA");
  if (wanted == nullptr || *wanted == '\0') return detected;
  for (const Isa isa : {Isa::Portable, Isa::Avx2, Isa::Avx512}) {
    if (std::string(wanted) == isa_name(isa) && isa <= detected) return isa;
  }
  throw Error(ExitCode::Usage,
              {.where = "CPM_ISA",
               .what = "instruction set not available",
               .expected = std::string("portable, avx2 or avx512, at most ") + isa_name(detected),
               .got = wanted,
               .hint = "unset CPM_ISA"});
}

}  // namespace

const char* isa_name(Isa isa) {
  return isa == Isa::Avx512 ? "avx512" : isa == Isa::Avx2 ? "avx2" : "portable";
}

Isa best_isa() {
  static const Isa isa = choose_isa();
  return isa;
}

}  // namespace kernels
