// One drawing, two outcomes: what draws on a Canvas can make SVG for a page, SVG for a paper and a PNG.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cpm/dataset/image.h"
#include "cpm/report/draw.h"
#include "cpm/report/theme.h"

namespace cpm {

struct Paint {
  Tone tone = Tone::Ink;
  double alpha = 1;
};

enum class Anchor { Start, Middle, End };

struct TextStyle {
  Tone tone = Tone::Soft;
  Anchor anchor = Anchor::Start;
  double size = 12;
  bool bold = false;
};

/// Room round a picture, outside of (0, 0) .. (width, height).
struct Margins {
  double sides = 0, top = 0, bottom = 0;
};

/// Units: (0, 0) is the upper left corner, x goes right, y down; 12 units are the size of a line of text.
class Canvas {
 public:
  Canvas(double width, double height, const Margins& margins)
      : width_(width), height_(height), margins_(margins) {}
  virtual ~Canvas() = default;
  Canvas(const Canvas&) = delete;
  Canvas& operator=(const Canvas&) = delete;

  double width() const { return width_; }
  double height() const { return height_; }
  const Margins& margins() const { return margins_; }
  /// With margins.
  double whole_width() const { return width_ + 2 * margins_.sides; }
  double whole_height() const { return height_ + margins_.top + margins_.bottom; }

  /// Round joins and ends. Alpha below 1 is for lines that do not cross themselves.
  virtual void polyline(std::span<const Point> points, Paint paint, double stroke) = 0;
  /// Closed by itself; points inside by the even-odd rule are filled.
  virtual void polygon(std::span<const Point> points, Paint paint) = 0;
  /// Each pixel of the image a rectangle.
  virtual void cells(double x, double y, double width, double height, const Image& image) = 0;
  /// (x, y) is the anchor's end of the baseline.
  virtual void text(double x, double y, const std::string& content, const TextStyle& style) = 0;

  void line(double x0, double y0, double x1, double y1, Paint paint, double stroke = 1);
  void rectangle(double x, double y, double width, double height, Paint paint);

 private:
  double width_, height_;
  Margins margins_;
};

/// ByTheme: colours are the page's custom properties, so the picture follows its theme. Fixed: the light
/// theme's on a white ground, for a file of its own.
enum class SvgColors { ByTheme, Fixed };

class SvgCanvas final : public Canvas {
 public:
  /// `name` is read aloud in place of the picture.
  SvgCanvas(double width, double height, const std::string& name, SvgColors colors,
            const Margins& margins = {});

  void polyline(std::span<const Point> points, Paint paint, double stroke) override;
  void polygon(std::span<const Point> points, Paint paint) override;
  void cells(double x, double y, double width, double height, const Image& image) override;
  void text(double x, double y, const std::string& content, const TextStyle& style) override;

  /// The <svg> element; with Fixed colours a whole file.
  std::string svg() const;

 private:
  std::string color(const char* what, Paint paint) const;

  SvgColors colors_;
  std::string name_, body_;
};

/// Light theme on white, `scale` pixels a unit.
class RasterCanvas final : public Canvas {
 public:
  RasterCanvas(double width, double height, double scale, const Margins& margins = {});

  void polyline(std::span<const Point> points, Paint paint, double stroke) override;
  void polygon(std::span<const Point> points, Paint paint) override;
  void cells(double x, double y, double width, double height, const Image& image) override;
  void text(double x, double y, const std::string& content, const TextStyle& style) override;

  const Image& image() const { return image_; }

 private:
  /// In pixels of image_, which has integers at pixel centres.
  Point pixel(Point units) const;

  double scale_;
  Image image_;
};

/// Width of a line of text in units, estimated generously: the reader's font is not known.
double text_width(const std::string& content, double size = 12);

}  // namespace cpm
