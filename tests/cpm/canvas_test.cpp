// The two canvases: what the raster paints, what the SVG says, and a stroke font without holes.
#include "cpm/report/canvas.h"

#include <set>

#include "cpm/report/html.h"
#include "cpm/report/stroke_font.h"
#include "tests/support/catch.h"

namespace {

using cpm::Anchor;
using cpm::Color;
using cpm::Image;
using cpm::Point;
using cpm::Theme;
using cpm::Tone;

const Color kCard = cpm::tone_color(Tone::Card, Theme::Light),
            kBlue = cpm::tone_color(Tone::S1, Theme::Light);

Color at(const Image& image, int x, int y) {
  return {image.at(x, y)[0], image.at(x, y)[1], image.at(x, y)[2]};
}

/// Leftmost and rightmost column that is not ground.
std::pair<int, int> extent(const Image& image) {
  int left = image.width, right = -1;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      if (at(image, x, y) == kCard) continue;
      left = std::min(left, x);
      right = std::max(right, x);
    }
  }
  return {left, right};
}

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (size_t i = text.find(what); i != std::string::npos; i = text.find(what, i + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("canvas: a rectangle of whole units fills its pixels and no others") {
  cpm::RasterCanvas canvas(30, 20, 2, {.sides = 3, .top = 5, .bottom = 1});
  CHECK(canvas.image().width == 72);
  CHECK(canvas.image().height == 52);
  canvas.rectangle(4, 6, 10, 3, {Tone::S1});
  for (int y = 0; y < 52; ++y) {
    for (int x = 0; x < 72; ++x) {
      const bool inside = x >= 14 && x < 34 && y >= 22 && y < 28;
      REQUIRE(at(canvas.image(), x, y) == (inside ? kBlue : kCard));
    }
  }
}

TEST_CASE("canvas: cells are drawn whole, each image pixel a rectangle") {
  cpm::RasterCanvas canvas(12, 8, 1);
  Image image(3, 2, Color{0, 0, 0});
  for (int i = 0; i < 6; ++i) image.at(i % 3, i / 3)[0] = static_cast<uint8_t>(10 * i + 5);
  canvas.cells(0, 0, 12, 8, image);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 12; ++x) REQUIRE(int{at(canvas.image(), x, y)[0]} == 10 * (x / 4 + 3 * (y / 4)) + 5);
  }
  canvas.cells(8, 5, 100, 100, image);  // clipped
}

TEST_CASE("canvas: text is anchored at its start, middle or end") {
  const std::string word = "Hxm 10⁻⁵";
  const double width = cpm::stroke_text(word, 20).width;
  for (const char* plain : {"Mconv5_stage3", "size of the gradient", "steps 184–362"}) {
    const double drawn = cpm::stroke_text(plain, 20).width;
    CHECK(std::abs(cpm::text_width(plain, 20) / drawn - 1) < 0.3);
  }
  for (const auto& [anchor, left] :
       {std::pair{Anchor::Start, 150.0}, {Anchor::Middle, 150 - width / 2}, {Anchor::End, 150 - width}}) {
    cpm::RasterCanvas canvas(300, 40, 1);
    canvas.text(150, 30, word, {.anchor = anchor, .size = 20});
    const auto [first, last] = extent(canvas.image());
    CHECK(std::abs(first - left) < 3);  // half a stroke and rounding
    CHECK(std::abs(last - left - width) < 3);
  }
  CHECK(cpm::stroke_text("", 20).lines.empty());
  CHECK(cpm::stroke_text("  ", 20).lines.empty());
}

TEST_CASE("canvas: the stroke font has ASCII, signs of labels and superscripts, each a shape of its own") {
  std::set<std::vector<std::pair<double, double>>> shapes;
  size_t letters = 0;
  for (char32_t code = 33; code < 127; ++code) {
    CAPTURE(static_cast<int>(code));
    REQUIRE(cpm::stroke_font_has(code));
    const auto text = cpm::stroke_text(std::string(1, static_cast<char>(code)), 10);
    REQUIRE(!text.lines.empty());
    std::vector<std::pair<double, double>> points;
    for (const auto& line : text.lines) {
      REQUIRE(line.size() >= 2);
      for (const Point& point : line) {
        CHECK(point.x >= 0);
        CHECK(point.x <= 4.001);
        CHECK(point.y >= -8.5);
        CHECK(point.y <= 2.5);
        points.push_back({point.x, point.y});
      }
    }
    shapes.insert(points);
    ++letters;
  }
  CHECK(shapes.size() == letters);
  for (const char32_t code : U"–−·×±…’→⁻⁰¹²³⁴⁵⁶⁷⁸⁹ ") CHECK((code == 0 || cpm::stroke_font_has(code)));
  CHECK(!cpm::stroke_font_has(U'ü'));
  // Unknown letters, and bytes that are no UTF-8, are boxes.
  const auto box = cpm::stroke_text("ü", 10);
  for (const char* text : {"漢", "\xff", "\xc3", "\x80"}) {
    CHECK(cpm::stroke_text(text, 10).lines.size() == box.lines.size());
    CHECK(cpm::stroke_text(text, 10).width == box.width);
  }
}

TEST_CASE("canvas: SVG follows the page's theme, or has colours of its own as a file") {
  for (const auto colors : {cpm::SvgColors::ByTheme, cpm::SvgColors::Fixed}) {
    cpm::SvgCanvas canvas(100.5, 50, "a <name>", colors, {.sides = 4});
    const std::vector<Point> points = {{0, 0}, {1.26, 10}, {2, -0.04}};
    canvas.polyline(points, {Tone::S1}, 1.5);
    canvas.polygon(points, {Tone::S2, 0.25});
    canvas.text(3, 4, "a < b & c", {.tone = Tone::Ink, .anchor = Anchor::End, .bold = true});
    canvas.cells(0, 0, 10, 10, Image(2, 2, Color{1, 2, 3}));
    const std::string svg = canvas.svg();
    const bool file = colors == cpm::SvgColors::Fixed;
    CHECK(count(svg, "xmlns=") == (file ? 1 : 0));
    CHECK(count(svg, "var(--s1)") == (file ? 0 : 1));
    CHECK(count(svg, "#0f6ab4") == (file ? 1 : 0));
    CHECK(count(svg, "M0 0L1.3 10L2 0") == 2);
    CHECK(count(svg, "fill-opacity=\"0.25\"") == 1);
    CHECK(count(svg, ">a &lt; b &amp; c</text>") == 1);
    CHECK(count(svg, "a &lt;name&gt;") == 1);
    CHECK(count(svg, "viewBox=\"-4 0 108.5 50\"") == 1);
    CHECK(count(svg, "data:image/png;base64,") == 1);
  }
}

TEST_CASE("canvas: the style sheet has every colour in every theme") {
  const std::string style = cpm::page_style();
  for (const Theme theme : {Theme::Light, Theme::Dark, Theme::Print}) {
    for (int tone = 0; tone <= static_cast<int>(Tone::Middle); ++tone) {
      const auto name = static_cast<Tone>(tone);
      CHECK(style.find(std::string("--") + cpm::tone_name(name) + ":" +
                       cpm::color_text(cpm::tone_color(name, theme))) != std::string::npos);
    }
  }
}
