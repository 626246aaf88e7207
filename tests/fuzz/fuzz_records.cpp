// cpm/hist/records: meta.json of a run's histograms of gradients, JSON that cpm-hist believes.
#include "cpm/hist/records.h"
#include "tests/fuzz/refused.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::refused([&] {
    const auto meta = cpm::parse_grad_meta({reinterpret_cast<const char*>(data), size}, "meta.json");
    fuzz::require(!meta.tensors.empty() && meta.epochs.steps > 0, "a run of no tensors or steps", "");
  });
  return 0;
}
