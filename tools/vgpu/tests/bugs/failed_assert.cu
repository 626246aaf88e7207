// expect: assertion .*< limit
// status: 3
// error: 710
// first: block (0,0,0) thread (40,0,0)
#include <cassert>

#include "bug.h"

__global__ void check(int limit) {
  assert(int(threadIdx.x) < limit);  // BUG
}

int main(int argc, char** argv) {
  check<<<1, 64>>>(wants_bug(argc, argv) ? 40 : 64);
  return finish();
}
