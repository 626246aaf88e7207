// Skeletons. Hues tell the person's sides apart (orange and blue stay distinct for every common colour
// blindness, and differ in lightness too); the shades within a side only separate neighbouring limbs. Sizes
// are parts of the image's mean side, so a thumbnail and a full photograph look alike.
#include <algorithm>
#include <cmath>

#include "cpm/report/draw.h"
#include "kernels/base/error.h"

namespace cpm {
namespace {

enum class Side { Middle, Right, Left };

constexpr int kShades = 4;
constexpr Color kWarm[kShades] = {{255, 127, 42}, {255, 179, 71}, {232, 84, 38}, {255, 150, 110}};
constexpr Color kCool[kShades] = {{46, 134, 235}, {72, 196, 240}, {74, 92, 214}, {110, 170, 255}};
constexpr Color kNeutral[kShades] = {{186, 192, 200}, {160, 168, 178}, {206, 210, 214}, {174, 184, 190}};
constexpr Color kDark = {16, 18, 24}, kWhite = {255, 255, 255};

/// By the joint's name, since a pair of twins does not say which is which.
Side joint_side(const JointSchema& schema, int joint) {
  const std::string& name = schema.names.at(joint);
  if (name.find("right") != std::string::npos) return Side::Right;
  return name.find("left") != std::string::npos ? Side::Left : Side::Middle;
}

/// A limb between both sides, as between the hips, belongs to neither.
Side limb_side(const JointSchema& schema, std::pair<int, int> limb) {
  const Side a = joint_side(schema, limb.first), b = joint_side(schema, limb.second);
  if (a == b || b == Side::Middle) return a;
  return a == Side::Middle ? b : Side::Middle;
}

Color shade(Side side, int index) {
  const Color* shades = side == Side::Right ? kWarm : side == Side::Left ? kCool : kNeutral;
  return shades[index % kShades];
}

template <class Draw>
void each_limb(const std::vector<Joint>& joints, const JointSchema& schema, const Draw& draw) {
  for (const auto& limb : schema.limbs) {
    const Joint &a = joints.at(limb.first), &b = joints.at(limb.second);
    if (a.labelled && b.labelled) draw(limb, a, b);
  }
}

void draw_predicted(Image* image, const std::vector<Joint>& joints, const JointSchema& schema, double side) {
  const double width = std::max(1.5, 0.014 * side), radius = std::max(1.2, 0.012 * side);
  const double edge = std::max(0.5, 0.004 * side);
  each_limb(joints, schema, [&](auto, const Joint& a, const Joint& b) {
    draw_line(image, a.x, a.y, b.x, b.y, width + edge, kDark, 0.5);
  });
  each_limb(joints, schema, [&](auto limb, const Joint& a, const Joint& b) {
    draw_line(image, a.x, a.y, b.x, b.y, width, limb_color(schema, limb), 0.9);
  });
  for (int i = 0; i < static_cast<int>(joints.size()); ++i) {
    if (!joints[i].labelled) continue;
    draw_disc(image, joints[i].x, joints[i].y, radius + edge, kDark, 0.85);
    draw_disc(image, joints[i].x, joints[i].y, radius, joint_color(schema, i), 1);
  }
}

void draw_truth(Image* image, const std::vector<Joint>& joints, const JointSchema& schema, double side) {
  const double width = std::max(1.0, 0.005 * side), edge = std::max(0.6, 0.004 * side);
  const auto pass = [&](Color color, double alpha, double grow) {
    each_limb(joints, schema, [&](auto, const Joint& a, const Joint& b) {
      draw_line(image, a.x, a.y, b.x, b.y, width + 2 * grow, color, alpha);
    });
    for (const Joint& joint : joints) {
      if (joint.labelled) draw_disc(image, joint.x, joint.y, width + grow, color, alpha);
    }
  };
  pass(kDark, 0.7, edge);
  pass(kWhite, 1, 0);
}

}  // namespace

Color joint_color(const JointSchema& schema, int joint) {
  return shade(joint_side(schema, joint), 0);
}

Color limb_color(const JointSchema& schema, std::pair<int, int> limb) {
  const Side side = limb_side(schema, limb);
  int index = 0;
  for (const auto& other : schema.limbs) {
    if (other == limb) break;
    index += limb_side(schema, other) == side;
  }
  return shade(side, index);
}

void draw_skeleton(Image* image, const std::vector<Joint>& joints, const JointSchema& schema,
                   SkeletonStyle style) {
  CPM_CHECK(static_cast<int>(joints.size()) == schema.count(), "{} joints for a schema of {}", joints.size(),
            schema.count());
  const double side = std::sqrt(1.0 * image->width * image->height);
  if (style == SkeletonStyle::Predicted) draw_predicted(image, joints, schema, side);
  if (style == SkeletonStyle::Truth) draw_truth(image, joints, schema, side);
}

}  // namespace cpm
