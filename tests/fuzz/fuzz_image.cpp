// cpm/dataset/image: whole JPEG and PNG files. A PNG's check sums are put right first, or no mutated one
// would get as far as the decoder; every fourth input (by size) keeps them as they are.
#include <algorithm>
#include <cstring>
#include <vector>

#include "cpm/dataset/image.h"
#include "engine/io/file.h"
#include "tests/fuzz/refused.h"

namespace {

uint32_t load(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 |
         static_cast<uint32_t>(at[2]) << 8 | at[3];
}

void repair_png(std::vector<uint8_t>* png) {
  constexpr size_t kMagic = 8, kFrame = 12;
  for (size_t at = kMagic; at + kFrame <= png->size();) {
    const uint32_t length = load(png->data() + at);
    if (length > png->size() - at - kFrame) return;
    const uint32_t sum = engine::crc32({png->data() + at + 4, size_t{4} + length});
    uint8_t* stored = png->data() + at + 8 + length;
    for (int i = 0; i < 4; ++i) stored[i] = static_cast<uint8_t>(sum >> (24 - 8 * i));
    at += kFrame + length;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data, data + size);
  if (size > 8 && size % 4 != 0 && std::memcmp(data, "\x89PNG", 4) == 0) repair_png(&bytes);
  fuzz::refused([&] {
    const cpm::Image image = cpm::decode_image(bytes, "input");
    fuzz::require(image.width > 0 && image.height > 0 && image.width <= cpm::kMaxImageSide &&
                      image.height <= cpm::kMaxImageSide &&
                      image.rgb.size() ==
                          size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(image.height),
                  "an image of another size", "");
  });
  return 0;
}
