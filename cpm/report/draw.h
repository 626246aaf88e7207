// Drawing on 8-bit images: anti-aliased discs and lines, skeletons, belief maps, sheets.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cpm/dataset/dataset.h"
#include "cpm/dataset/image.h"

namespace cpm {

struct Point {
  double x = 0, y = 0;
};

/// Anti-aliased, alpha in [0, 1]; coordinates are pixels with integers at pixel centres; clipped to the
/// image.
void draw_line(Image* image, double x0, double y0, double x1, double y1, double width, Color color,
               double alpha);
void draw_disc(Image* image, double x, double y, double radius, Color color, double alpha);
void draw_ring(Image* image, double x, double y, double radius, double width, Color color, double alpha);
/// Closed by itself; filled by the even-odd rule.
void draw_polygon(Image* image, std::span<const Point> points, Color color, double alpha);

/// The colour of a joint, and of a limb: warm for the person's right side, cool for the left, neutral for the
/// middle.
Color joint_color(const JointSchema& schema, int joint);
Color limb_color(const JointSchema& schema, std::pair<int, int> limb);

enum class SkeletonStyle { Predicted, Truth };

/// Limbs and joints; unlabelled joints are left out. Predicted: thick lines in the limbs' colours. Truth:
/// thin white lines with dark edges, so both can be told apart when drawn together.
void draw_skeleton(Image* image, const std::vector<Joint>& joints, const JointSchema& schema,
                   SkeletonStyle style);

/// Enlarges (bilinear) or shrinks (area) to width x height.
Image resize(const Image& image, int width, int height);

/// A belief map [rows, cols] laid over a grey version of the image, through a perceptual colour map; low ..
/// high map to its ends. The map is resampled to the image's size.
Image overlay_belief(const Image& image, const std::vector<float>& map, int rows, int cols, double low,
                     double high);

/// The network's input (3 planes, (value - 128) / 256) back to an image.
Image image_of_input(const float* planes, int width, int height);

/// Pictures side by side, `columns` a row, on `background`, `gap` pixels apart; sizes may differ (cells take
/// the largest).
Image sheet(const std::vector<Image>& pictures, int columns, int gap, Color background);

}  // namespace cpm
