// 8-bit RGB images: decoding (JPEG and PNG, stb_image behind caps), encoding, resampling.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace cpm {

using Color = std::array<uint8_t, 3>;

/// Rows from top to bottom, RGB interleaved: pixel (x, y) starts at rgb[(y * width + x) * 3].
struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;

  Image() = default;
  Image(int w, int h, Color fill);
  uint8_t* at(int x, int y) { return rgb.data() + (static_cast<size_t>(y) * width + x) * 3; }
  const uint8_t* at(int x, int y) const { return rgb.data() + (static_cast<size_t>(y) * width + x) * 3; }
};

/// Largest side and file size that are decoded; anything above is refused before memory is taken.
inline constexpr int kMaxImageSide = 16384;
inline constexpr uint64_t kMaxImageBytes = uint64_t{256} << 20;

/// Decodes a JPEG or PNG file of any channel count to RGB (alpha is dropped, 16 bits lose the lower 8).
/// BadData names the file and the reason: missing, empty, no image, too large (kMaxImageSide, 2^26 pixels),
/// damaged, truncated (a JPEG without its end marker counts as truncated). An EXIF orientation is not
/// applied.
Image read_image(const std::filesystem::path& path);
Image decode_image(std::span<const uint8_t> bytes, const std::string& name);

/// PNG bytes of the image; write_png writes them atomically.
std::vector<uint8_t> encode_png(const Image& image);
void write_png(const std::filesystem::path& path, const Image& image);

/// JPEG bytes of the image, its colours as fine as its lightness: a fifth of a photograph's PNG.
std::vector<uint8_t> encode_jpeg(const Image& image);

/// Where a network input lies in an image: input pixel (u, v) shows image point
/// ((u + 0.5) / scale - 0.5 + left, (v + 0.5) / scale - 0.5 + top). Pixels are 0-based, integers at pixel
/// centres.
struct Crop {
  double scale = 1;           // input pixels per image pixel
  double left = 0, top = 0;   // image pixels cut off on the left and at the top (may be negative)
  int width = 0, height = 0;  // of the input
  bool flip = false;          // mirrored left to right after cropping

  void to_input(double x, double y, double* u, double* v) const;
  void to_image(double u, double v, double* x, double* y) const;
};

/// Cuts and resamples (bilinear; area-averaged where it shrinks), outside filled with 128, to planar floats
/// (value - 128) / 256: out is [3, crop.height, crop.width].
void sample_crop(const Image& image, const Crop& crop, float* out);

}  // namespace cpm
