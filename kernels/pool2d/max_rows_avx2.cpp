// The vector loops of max pooling with vectors of 32 bytes.
#include "kernels/pool2d/max_rows_body.h"

namespace kernels::cpu {

template <class T>
const MaxRows<T>& max_rows_avx2() {
  static constexpr MaxRows<T> kRows{maxima_3_2<T, 32>, window_maximum<T, 32>, join_rows<T, 32>};
  return kRows;
}

template const MaxRows<float>& max_rows_avx2();
template const MaxRows<double>& max_rows_avx2();

}  // namespace kernels::cpu
