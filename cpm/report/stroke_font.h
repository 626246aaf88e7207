// Text as lines, for pictures that no font renderer draws.
#pragma once

#include <string>
#include <vector>

#include "cpm/report/canvas.h"

namespace cpm {

struct StrokeText {
  std::vector<std::vector<Point>> lines;  // from (0, 0), the start of the baseline; y goes down
  double width = 0;
};

/// UTF-8 at a font size (capitals are 0.72 of it high). Knows ASCII, the signs of axis labels and superscript
/// digits; any other character is an empty box, and bytes that are not UTF-8 are boxes too.
StrokeText stroke_text(const std::string& text, double size);

/// Whether the font has a shape of its own for a code point.
bool stroke_font_has(char32_t code);

}  // namespace cpm
