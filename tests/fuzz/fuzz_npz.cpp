// engine/io/npz and zip: a whole npz file or, behind the check sums that would hide it from a fuzzer, the
// .npy array that an entry holds.
#include "engine/io/npz.h"

#include "tests/fuzz/refused.h"

namespace {

void check(const engine::NpyArray& array) {
  uint64_t bytes = engine::npy_size(array.type);
  for (const int64_t extent : array.shape) bytes *= static_cast<uint64_t>(extent);
  fuzz::require(bytes == array.bytes.size(), "an array of another size", "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::refused([&] { check(engine::parse_npy({data, size}, "input")); });
  fuzz::refused([&] {
    const auto file = engine::NpzFile::parse({data, data + size}, "input");
    for (const std::string& name : file.names()) {
      fuzz::refused([&] { check(file.array(name)); });
      fuzz::refused([&] { file.values<int64_t>(name); });
      fuzz::refused([&] { file.values<uint64_t>(name); });
      fuzz::refused([&] { file.values<double>(name); });
    }
    fuzz::refused([&] { file.array("step"); });
  });
  return 0;
}
