// Anchors of a path through OKLCh: lightness 0.16 + 0.80 t, hue 285 + 180 t degrees, chroma nine tenths of
// what sRGB can show there. Lightness is linear, so that no edge appears where the data has none and the map
// survives a grey print; the hue turns once, from cold to warm. Straight lines between the anchors stay
// within one level of the path.
#include "cpm/report/color_map.h"

#include <algorithm>
#include <cmath>

namespace cpm {
namespace {

constexpr int kAnchors = 17;
constexpr uint8_t kMap[kAnchors][3] = {
    {13, 2, 46},    {31, 5, 64},    {52, 8, 79},     {75, 12, 90},    {100, 16, 97},   {126, 21, 99},
    {153, 26, 97},  {180, 32, 90},  {207, 39, 77},   {235, 45, 49},   {241, 89, 39},   {244, 123, 44},
    {248, 150, 55}, {249, 176, 79}, {250, 201, 103}, {252, 224, 128}, {253, 247, 150},
};

}  // namespace

Color belief_color(double t) {
  if (!(t > 0)) t = 0;
  const double position = std::min(t, 1.0) * (kAnchors - 1);
  const int low = std::min(static_cast<int>(position), kAnchors - 2);
  const double part = position - low;
  Color color{};
  for (int c = 0; c < 3; ++c) {
    color[c] = static_cast<uint8_t>(std::lround(kMap[low][c] * (1 - part) + kMap[low + 1][c] * part));
  }
  return color;
}

}  // namespace cpm
