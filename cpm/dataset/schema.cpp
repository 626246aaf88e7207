// The joints of the data sets, in their files' order. LSP's are shared by the synthetic people.
#include <fmt/format.h>

#include <algorithm>

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

/// The sigmas are those of the COCO keypoint evaluation (cocodataset.org, "Keypoint Evaluation").
const JointSchema& coco_schema() {
  static const JointSchema schema{
      .names = {"nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
                "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
                "left_knee", "right_knee", "left_ankle", "right_ankle"},
      .flip_pairs = {{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}, {11, 12}, {13, 14}, {15, 16}},
      .limbs = {{15, 13},
                {13, 11},
                {16, 14},
                {14, 12},
                {11, 12},
                {5, 11},
                {6, 12},
                {5, 6},
                {5, 7},
                {6, 8},
                {7, 9},
                {8, 10},
                {1, 2},
                {0, 1},
                {0, 2},
                {1, 3},
                {2, 4},
                {3, 5},
                {4, 6}},
      .left_shoulder = 5,
      .right_hip = 12,
      .oks_sigmas = {0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107,
                     0.107, 0.087, 0.087, 0.089, 0.089},
      .metric = Metric::Oks,
  };
  return schema;
}

const JointSchema& mpii_schema() {
  static const JointSchema schema{
      .names = {"right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis",
                "thorax", "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder",
                "left_shoulder", "left_elbow", "left_wrist"},
      .flip_pairs = {{0, 5}, {1, 4}, {2, 3}, {10, 15}, {11, 14}, {12, 13}},
      .limbs = {{0, 1},
                {1, 2},
                {2, 6},
                {6, 3},
                {3, 4},
                {4, 5},
                {6, 7},
                {7, 8},
                {8, 9},
                {10, 11},
                {11, 12},
                {12, 7},
                {7, 13},
                {13, 14},
                {14, 15}},
      .left_shoulder = 13,
      .right_hip = 2,
      .pckh_left_out = {6, 7},
      .metric = Metric::Pckh,
  };
  return schema;
}

JointSchema numbered_schema(int count) {
  CPM_CHECK(count >= 1, "a schema of {} joints", count);
  JointSchema schema;
  for (int i = 1; i <= count; ++i) schema.names.push_back(fmt::format("joint{}", i));
  return schema;
}

JointSchema schema_of_names(const std::vector<std::string>& names) {
  for (const JointSchema* known : {&lsp_schema(), &coco_schema(), &mpii_schema()}) {
    if (known->names == names) return *known;
  }
  JointSchema schema{.names = names};
  const auto place = [&](const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? -1 : static_cast<int>(found - names.begin());
  };
  for (int i = 0; i < schema.count(); ++i) {
    const std::string& name = names[static_cast<size_t>(i)];
    if (name.rfind("left_", 0) != 0) continue;
    if (const int twin = place("right_" + name.substr(5)); twin >= 0) schema.flip_pairs.emplace_back(i, twin);
  }
  schema.left_shoulder = place("left_shoulder");
  schema.right_hip = place("right_hip");
  return schema;
}

}  // namespace cpm
