#include "cpm/dataset/image.h"

#include <algorithm>

#include "engine/io/file.h"
#include "kernels/base/error.h"

// Image files in and out; the formats themselves are image_codec.cpp's, resampling crop.cpp's.

namespace cpm {

Image::Image(int w, int h, Color fill) : width(w), height(h) {
  CPM_CHECK(w >= 0 && h >= 0, "an image of {} x {} pixels", w, h);
  rgb.resize(static_cast<size_t>(w) * h * 3);
  for (size_t i = 0; i < rgb.size(); i += 3) std::copy(fill.begin(), fill.end(), &rgb[i]);
}

Image read_image(const std::filesystem::path& path) {
  return decode_image(engine::read_file(path, kMaxImageBytes), path.string());
}

void write_png(const std::filesystem::path& path, const Image& image) {
  const std::vector<uint8_t> png = encode_png(image);
  const std::span<const uint8_t> bytes(png);
  engine::write_file(path, {&bytes, 1});
}

}  // namespace cpm
