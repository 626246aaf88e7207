// The joints of the Leeds Sports Pose sets, in their files' order, which the synthetic people share.
#include <fmt/format.h>

#include "cpm/dataset/dataset.h"
#include "kernels/base/error.h"

namespace cpm {

const JointSchema& lsp_schema() {
  static const JointSchema schema{
      .names = {"right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
                "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
                "neck", "head_top"},
      .flip_pairs = {{0, 5}, {1, 4}, {2, 3}, {6, 11}, {7, 10}, {8, 9}},
      .limbs = {{0, 1},
                {1, 2},
                {2, 3},
                {3, 4},
                {4, 5},
                {6, 7},
                {7, 8},
                {8, 12},
                {12, 9},
                {9, 10},
                {10, 11},
                {12, 13},
                {8, 2},
                {9, 3}},
      .left_shoulder = 9,
      .right_hip = 2,
  };
  return schema;
}

JointSchema numbered_schema(int count) {
  CPM_CHECK(count >= 1, "a schema of {} joints", count);
  JointSchema schema;
  for (int i = 1; i <= count; ++i) schema.names.push_back(fmt::format("joint{}", i));
  return schema;
}

}  // namespace cpm
