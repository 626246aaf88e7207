#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "cpm/dataset/image.h"
#include "cpm/dataset/image_check.h"
#include "engine/io/file.h"
#include "kernels/base/error.h"

// JPEG and PNG by stb_image, behind checks that it does not make itself: it fills what a cut file lacks with
// grey or black, knows no check sums, and takes as much memory as a compressed stream asks for. So the file's
// segments are walked first, from the first byte to the end marker, and its allocations have a limit that
// follows from the announced size.

namespace {

// The largest single allocation the decoder running on this thread may make.
thread_local size_t allocation_limit = 0;

void* limited_realloc(void* old, size_t size) {
  return size > allocation_limit ? nullptr : std::realloc(old, size);
}

}  // namespace

#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_MALLOC(size) limited_realloc(nullptr, size)
#define STBI_REALLOC(old, size) limited_realloc(old, size)
#define STBI_FREE(old) std::free(old)
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wold-style-cast"  // around our allocation macros
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace cpm {
namespace {

using Bytes = std::span<const uint8_t>;

// 64 megapixels take 192 MiB as RGB and about as much again while they are decoded.
constexpr int64_t kMaxPixels = int64_t{1} << 26;
/// What a file that is neither JPEG nor PNG looks like.
std::string guess_kind(Bytes bytes) {
  if (starts_with(bytes, "GIF8")) return "a GIF image";
  if (starts_with(bytes, "BM")) return "a BMP image";
  if (starts_with(bytes, "RIFF")) return "a RIFF file (WebP?)";
  if (starts_with(bytes, "II*") || starts_with(bytes, "MM")) return "a TIFF image";
  if (starts_with(bytes, "<")) return "text or HTML";
  std::string text = "a file that starts with bytes";
  for (const uint8_t byte : bytes.first(std::min<size_t>(bytes.size(), 8)))
    text += fmt::format(" {:02x}", byte);
  return text;
}

struct FreeDecoded {
  void operator()(uint8_t* pixels) const { stbi_image_free(pixels); }
};

/// Width and height by the header, within the caps.
std::pair<int, int> checked_size(Bytes bytes, const std::string& name) {
  constexpr const char* kOther = "make it smaller, or leave it out of the data set";
  int width = 0, height = 0, channels = 0;
  allocation_limit = size_t{1} << 20;  // a header needs next to nothing
  if (starts_with(bytes, kPngMagic) && starts_with(bytes.subspan(12), "IHDR")) {
    // Sides that stb_image would refuse without saying so. (A PNG that was walked has 16 + 8 bytes.)
    const uint32_t announced[] = {big_endian(&bytes[16], 4), big_endian(&bytes[20], 4)};
    if (*std::min_element(announced, announced + 2) < 1 ||
        *std::max_element(announced, announced + 2) > kMaxImageSide) {
      fail_image(name, "the image is too large or empty", fmt::format("sides from 1 to {}", kMaxImageSide),
                 fmt::format("{} x {} pixels", announced[0], announced[1]), kOther);
    }
  }
  if (stbi_info_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &channels) == 0) {
    fail_image(name, "the image's header cannot be read", "a baseline or progressive JPEG, or a PNG",
               fmt::format("{} bytes", bytes.size()));
  }
  const std::string got = fmt::format("{} x {} pixels", width, height);
  if (width < 1 || height < 1 || width > kMaxImageSide || height > kMaxImageSide) {
    fail_image(name, "the image is too large or empty", fmt::format("sides from 1 to {}", kMaxImageSide), got,
               kOther);
  }
  if (int64_t{width} * height > kMaxPixels) {
    fail_image(name, "the image is too large", fmt::format("at most {} pixels", kMaxPixels), got, kOther);
  }
  // A JPEG block of 64 pixels takes at least one bit, deflate shrinks to no less than 1/1032 and PNG pixels
  // start at one bit: an image that claims more is cut or made to eat memory.
  const int64_t most_per_byte = starts_with(bytes, kPngMagic) ? 8 * 1032 : 8 * 64;
  if (int64_t{width} * height > most_per_byte * static_cast<int64_t>(bytes.size())) {
    fail_image(name, "the file is too short for its image", got, fmt::format("{} bytes", bytes.size()));
  }
  return {width, height};
}

void append(void* to, void* data, int size) {
  auto* out = static_cast<std::vector<uint8_t>*>(to);
  const auto* bytes = static_cast<const uint8_t*>(data);
  out->insert(out->end(), bytes, bytes + size);
}

}  // namespace

Image decode_image(std::span<const uint8_t> bytes, const std::string& name) {
  if (bytes.empty()) fail_image(name, "the file is empty", "a JPEG or PNG image", "0 bytes");
  if (bytes.size() > kMaxImageBytes) {
    fail_image(name, "the file is too large", fmt::format("at most {} bytes", kMaxImageBytes),
               fmt::format("{} bytes", bytes.size()));
  }
  const bool jpeg = starts_with(bytes, kJpegMagic);
  if (!jpeg && !starts_with(bytes, kPngMagic)) {
    fail_image(name, "this is not an image that can be read", "a JPEG or PNG image", guess_kind(bytes),
               "convert it to JPEG or PNG");
  }
  jpeg ? check_jpeg(bytes, name) : check_png(bytes, name);  // before stb_image sees any of it
  const auto [width, height] = checked_size(bytes, name);

  // Four 16-bit channels are the most a pixel takes; buffers that grow double, and small images have borders.
  const size_t pixels = static_cast<size_t>(width) * static_cast<size_t>(height);
  allocation_limit = 2 * (8 * pixels + bytes.size()) + (size_t{1} << 20);
  int decoded_width = 0, decoded_height = 0, channels = 0;
  const std::unique_ptr<uint8_t, FreeDecoded> decoded(stbi_load_from_memory(
      bytes.data(), static_cast<int>(bytes.size()), &decoded_width, &decoded_height, &channels, 3));
  if (!decoded) {
    fail_image(
        name, "the image cannot be decoded", jpeg ? "a sound JPEG" : "a sound PNG",
        std::string("the decoder says: ") + (stbi_failure_reason() ? stbi_failure_reason() : "no reason"));
  }
  CPM_CHECK(decoded_width == width && decoded_height == height, "{}: {} x {} announced, {} x {} decoded",
            name, width, height, decoded_width, decoded_height);
  Image image;
  image.width = width;
  image.height = height;
  image.rgb.assign(decoded.get(), decoded.get() + pixels * 3);
  return image;
}

namespace {

void check_sizes(const Image& image) {
  CPM_CHECK(image.width >= 1 && image.height >= 1 && int64_t{image.width} * image.height <= kMaxPixels &&
                image.rgb.size() == static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3,
            "an image of {} x {} pixels and {} bytes", image.width, image.height, image.rgb.size());
}

}  // namespace

std::vector<uint8_t> encode_png(const Image& image) {
  check_sizes(image);
  std::vector<uint8_t> png;
  const int written =
      stbi_write_png_to_func(append, &png, image.width, image.height, 3, image.rgb.data(), image.width * 3);
  CPM_CHECK(written != 0, "the PNG encoder failed");
  return png;
}

std::vector<uint8_t> encode_jpeg(const Image& image) {
  constexpr int kQuality = 92;  // to 90 this encoder halves the resolution of colours, and thin lines fade
  check_sizes(image);
  std::vector<uint8_t> jpeg;
  const int written =
      stbi_write_jpg_to_func(append, &jpeg, image.width, image.height, 3, image.rgb.data(), kQuality);
  CPM_CHECK(written != 0, "the JPEG encoder failed");
  return jpeg;
}

}  // namespace cpm
