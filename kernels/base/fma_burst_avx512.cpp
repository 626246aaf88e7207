#include "kernels/base/fma_burst.h"

namespace kernels {

float fma_burst_avx512(int64_t rounds, float start) {
  typedef float Vector __attribute__((vector_size(64)));
  return fma_burst<Vector>(rounds, start);
}

}  // namespace kernels
