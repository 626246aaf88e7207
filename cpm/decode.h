// From belief maps to joints, as the release does: maps are enlarged to the input's resolution (bicubic, Keys
// 1981, a = -0.5), those of several scales and of the mirrored image are summed, and each joint is its map's
// maximum.
#pragma once

#include <vector>

#include "cpm/dataset/dataset.h"

namespace cpm {

/// Belief maps at the input's resolution in the frame of a base crop.
class FullMaps {
 public:
  FullMaps(int joints, int height, int width);

  /// Adds maps [joints + 1, height / 8, width / 8] that the network gave for the base crop enlarged by `zoom`
  /// about its centre; `flipped`: the input was mirrored (joints are swapped back by the schema). Pixels that
  /// the zoomed view does not show get 0.
  void add(const float* maps, double zoom, bool flipped, const JointSchema& schema);

  /// Mean over the added maps of joint j at input pixel (u, v).
  double at(int joint, int u, int v) const;
  /// Each joint's maximum in input pixels; `labelled` is true, scores by at().
  std::vector<Joint> joints(std::vector<double>* scores) const;

 private:
  int joints_, height_, width_, added_ = 0;
  std::vector<float> sum_;  // [joints, height, width]
};

}  // namespace cpm
