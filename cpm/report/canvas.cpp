#include "cpm/report/canvas.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cpm/report/html.h"
#include "cpm/report/stroke_font.h"

namespace cpm {
namespace {

/// A tenth of a unit is finer than a pixel; zeros at the end are left out.
std::string number(double value) {
  return fmt::format("{:g}", std::round(value * 10) / 10 + 0.0);
}

std::string path(std::span<const Point> points) {
  std::string text;
  for (const Point& point : points) {
    text += fmt::format("{}{} {}", text.empty() ? "M" : "L", number(point.x), number(point.y));
  }
  return text;
}

}  // namespace

void Canvas::line(double x0, double y0, double x1, double y1, Paint paint, double stroke) {
  const Point points[] = {{x0, y0}, {x1, y1}};
  polyline(points, paint, stroke);
}

void Canvas::rectangle(double x, double y, double width, double height, Paint paint) {
  const Point corners[] = {{x, y}, {x + width, y}, {x + width, y + height}, {x, y + height}};
  polygon(corners, paint);
}

SvgCanvas::SvgCanvas(double width, double height, const std::string& name, SvgColors colors,
                     const Margins& margins)
    : Canvas(width, height, margins), colors_(colors), name_(name) {
  if (colors == SvgColors::Fixed) {
    rectangle(-margins.sides, -margins.top, whole_width(), whole_height(), {Tone::Card});
  }
}

std::string SvgCanvas::color(const char* what, Paint paint) const {
  const std::string alpha = paint.alpha < 1 ? fmt::format(" {}-opacity=\"{:.3g}\"", what, paint.alpha) : "";
  if (colors_ == SvgColors::Fixed) {
    return fmt::format(" {}=\"{}\"{}", what, color_text(tone_color(paint.tone, Theme::Light)), alpha);
  }
  return fmt::format(" style=\"{}:var(--{})\"{}", what, tone_name(paint.tone), alpha);
}

void SvgCanvas::polyline(std::span<const Point> points, Paint paint, double stroke) {
  body_ += fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke-width=\"{:g}\" stroke-linejoin=\"round\" "
      "stroke-linecap=\"round\"{}/>\n",
      path(points), stroke, color("stroke", paint));
}

void SvgCanvas::polygon(std::span<const Point> points, Paint paint) {
  body_ += fmt::format("<path d=\"{}Z\" fill-rule=\"evenodd\"{}/>\n", path(points), color("fill", paint));
}

void SvgCanvas::cells(double x, double y, double width, double height, const Image& image) {
  body_ += fmt::format(
      "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" "
      "style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>\n",
      number(x), number(y), number(width), number(height), base64(encode_png(image)));
}

void SvgCanvas::text(double x, double y, const std::string& content, const TextStyle& style) {
  static constexpr const char* kAnchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
  body_ += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{:g}\"{}{}{}>{}</text>\n", number(x), number(y),
                       style.size, kAnchors[static_cast<size_t>(style.anchor)],
                       style.bold ? " font-weight=\"600\"" : "", color("fill", {style.tone}),
                       escape_html(content));
}

std::string SvgCanvas::svg() const {
  const std::string box =
      fmt::format("viewBox=\"{:g} {:g} {:g} {:g}\" role=\"img\" aria-label=\"{}\"", -margins().sides + 0.0,
                  -margins().top + 0.0, whole_width(), whole_height(), escape_html(name_));
  if (colors_ == SvgColors::ByTheme) return fmt::format("<svg {}>\n{}</svg>\n", box, body_);
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:g}\" "
      "height=\"{:g}\" {} font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n{}</svg>\n",
      whole_width(), whole_height(), box, body_);
}

RasterCanvas::RasterCanvas(double width, double height, double scale, const Margins& margins)
    : Canvas(width, height, margins),
      scale_(scale),
      image_(static_cast<int>(std::ceil(whole_width() * scale)),
             static_cast<int>(std::ceil(whole_height() * scale)), tone_color(Tone::Card, Theme::Light)) {}

Point RasterCanvas::pixel(Point units) const {
  return {(units.x + margins().sides) * scale_ - 0.5, (units.y + margins().top) * scale_ - 0.5};
}

void RasterCanvas::polyline(std::span<const Point> points, Paint paint, double stroke) {
  const Color color = tone_color(paint.tone, Theme::Light);
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    const Point from = pixel(points[i]), to = pixel(points[i + 1]);
    draw_line(&image_, from.x, from.y, to.x, to.y, stroke * scale_, color, paint.alpha);
  }
}

void RasterCanvas::polygon(std::span<const Point> points, Paint paint) {
  std::vector<Point> pixels;
  for (const Point& point : points) pixels.push_back(pixel(point));
  draw_polygon(&image_, pixels, tone_color(paint.tone, Theme::Light), paint.alpha);
}

void RasterCanvas::cells(double x, double y, double width, double height, const Image& image) {
  const auto whole = [](double edge) { return static_cast<int>(std::lround(edge + 0.5)); };
  const Point from = pixel({x, y}), to = pixel({x + width, y + height});
  const int left = whole(from.x), top = whole(from.y), right = whole(to.x), bottom = whole(to.y);
  for (int v = std::max(top, 0); v < std::min(bottom, image_.height); ++v) {
    const auto row = static_cast<int>(int64_t{v - top} * image.height / (bottom - top));
    for (int u = std::max(left, 0); u < std::min(right, image_.width); ++u) {
      const auto column = static_cast<int>(int64_t{u - left} * image.width / (right - left));
      std::copy_n(image.at(column, row), 3, image_.at(u, v));
    }
  }
}

void RasterCanvas::text(double x, double y, const std::string& content, const TextStyle& style) {
  const StrokeText strokes = stroke_text(content, style.size);
  if (style.anchor == Anchor::Middle) x -= strokes.width / 2;
  if (style.anchor == Anchor::End) x -= strokes.width;
  for (std::vector<Point> stroke : strokes.lines) {
    for (Point& point : stroke) point = {point.x + x, point.y + y};
    polyline(stroke, {style.tone}, style.size * (style.bold ? 0.13 : 0.088));
  }
}

double text_width(const std::string& content, double size) {
  const auto letters =
      std::count_if(content.begin(), content.end(), [](char c) { return (c & 0xc0) != 0x80; });
  return 0.58 * size * static_cast<double>(letters);
}

}  // namespace cpm
