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

/// The raster's own pixels have integers at their centres.
double pixel(double units, double scale) {
  return units * scale - 0.5;
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

SvgCanvas::SvgCanvas(double width, double height, const std::string& name, SvgColors colors)
    : Canvas(width, height), colors_(colors), name_(name) {
  if (colors == SvgColors::Fixed) rectangle(0, 0, width, height, {Tone::Card});
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
  const bool file = colors_ == SvgColors::Fixed;
  const std::string size = fmt::format("width=\"{0:g}\" height=\"{1:g}\" ", width(), height());
  return fmt::format("{}<svg {}viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\"{}>\n{}</svg>\n",
                     file ? "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" : "",
                     file ? "xmlns=\"http://www.w3.org/2000/svg\" " + size : "", width(), height(),
                     escape_html(name_),
                     file ? " font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\"" : "", body_);
}

RasterCanvas::RasterCanvas(double width, double height, double scale)
    : Canvas(width, height),
      scale_(scale),
      image_(static_cast<int>(std::ceil(width * scale)), static_cast<int>(std::ceil(height * scale)),
             tone_color(Tone::Card, Theme::Light)) {}

void RasterCanvas::polyline(std::span<const Point> points, Paint paint, double stroke) {
  const Color color = tone_color(paint.tone, Theme::Light);
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    draw_line(&image_, pixel(points[i].x, scale_), pixel(points[i].y, scale_), pixel(points[i + 1].x, scale_),
              pixel(points[i + 1].y, scale_), stroke * scale_, color, paint.alpha);
  }
}

void RasterCanvas::polygon(std::span<const Point> points, Paint paint) {
  std::vector<Point> pixels(points.begin(), points.end());
  for (Point& point : pixels) point = {pixel(point.x, scale_), pixel(point.y, scale_)};
  draw_polygon(&image_, pixels, tone_color(paint.tone, Theme::Light), paint.alpha);
}

void RasterCanvas::cells(double x, double y, double width, double height, const Image& image) {
  const int left = static_cast<int>(std::lround(x * scale_)), top = static_cast<int>(std::lround(y * scale_));
  const int right = static_cast<int>(std::lround((x + width) * scale_));
  const int bottom = static_cast<int>(std::lround((y + height) * scale_));
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
