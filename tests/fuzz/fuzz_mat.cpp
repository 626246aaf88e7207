// cpm/dataset/mat_file: whole MAT-files.
#include "cpm/dataset/mat_file.h"
#include "tests/fuzz/refused.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::refused([&] {
    for (const cpm::MatArray& array : cpm::parse_mat({data, size}, "input")) {
      uint64_t count = 1;
      for (const int64_t dim : array.dims) count *= static_cast<uint64_t>(dim);
      fuzz::require(array.dims.size() >= 2 && count == array.values.size(), "an array of another size",
                    array.name);
    }
  });
  return 0;
}
