// The vector loops of max pooling with vectors of 16 bytes.
#include "kernels/pool2d/max_rows_body.h"

namespace kernels::cpu {

template <class T>
const MaxRows<T>& max_rows_portable() {
  static constexpr MaxRows<T> kRows{maxima_3_2<T, 16>, window_maximum<T, 16>, join_rows<T, 16>};
  return kRows;
}

template const MaxRows<float>& max_rows_portable();
template const MaxRows<double>& max_rows_portable();

}  // namespace kernels::cpu
