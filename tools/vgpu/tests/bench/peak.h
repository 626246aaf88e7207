// The fused multiply-adds a second that one core can do, measured: ten independent chains of vectors in
// registers.
#pragma once

namespace peak {
bool has_avx512();
double run_avx2(long rounds);    // returns a value so that the loop stays; 80 FMA a round
double run_avx512(long rounds);  // 160 FMA a round
}  // namespace peak
