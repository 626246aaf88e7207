// engine/io/safetensors: whole files. Tensors that were accepted are read to their last byte.
#include <numeric>

#include "engine/io/safetensors.h"
#include "tests/fuzz/refused.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::refused([&] {
    const auto file = engine::SafetensorsFile::parse({data, data + size}, "input");
    uint64_t bytes = 0;
    for (const auto& entry : file.tensors()) {
      const engine::StoredTensor& tensor = entry.second;
      bytes += tensor.bytes.size();
      volatile unsigned sum = std::accumulate(tensor.bytes.begin(), tensor.bytes.end(), 0u);
      static_cast<void>(sum);
      fuzz::refused([&] { file.values<float>(entry.first); });
      fuzz::refused([&] { file.values<double>(entry.first); });
    }
    // No hole, no overlap, nothing behind the last: the tensors are all there is behind the header.
    fuzz::require(bytes + file.header().size() + 8 == size, "tensors do not fill their file", "");
    fuzz::refused([&] { file.at("weight"); });
    fuzz::refused([&] { engine::verify_checksums(file); });
  });
  return 0;
}
