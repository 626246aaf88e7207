#include "cpm/pictures.h"

#include <algorithm>

#include "cpm/dataset/loader.h"
#include "cpm/report/draw.h"

namespace cpm {

namespace {

Image crop_picture(const Image& image, const Crop& crop) {
  std::vector<float> planes(static_cast<size_t>(3) * crop.width * crop.height);
  sample_crop(image, crop, planes.data());
  return image_of_input(planes.data(), crop.width, crop.height);
}

std::vector<Joint> in_crop(std::vector<Joint> joints, const Crop& crop) {
  for (Joint& joint : joints) {
    const double x = joint.x, y = joint.y;
    crop.to_input(x, y, &joint.x, &joint.y);
  }
  return joints;
}

}  // namespace

Image person_picture(const Dataset& dataset, int64_t i, int side, const Prediction& prediction) {
  const Record record = dataset.record(i);
  const Crop crop = person_crop(record.person, side);
  Image picture = crop_picture(dataset.image(i), crop);
  draw_skeleton(&picture, in_crop(prediction.joints, crop), dataset.schema(), SkeletonStyle::Predicted);
  draw_skeleton(&picture, in_crop(record.person.joints, crop), dataset.schema(), SkeletonStyle::Truth);
  return picture;
}

Image belief_sheet(const Image& picture, const std::vector<float>& maps, int joints, int side) {
  constexpr int kColumns = 5, kGap = 4;
  constexpr Color kPaper = {255, 255, 255};
  const int rows = picture.height / kStride, cols = picture.width / kStride;
  const ptrdiff_t cells = static_cast<ptrdiff_t>(rows) * cols;
  CPM_CHECK(static_cast<ptrdiff_t>(maps.size()) >= cells * (joints + 1), "{} values for {} maps of {} cells",
            maps.size(), joints + 1, cells);
  std::vector<Image> tiles;
  for (int j = 0; j <= joints; ++j) {
    const std::vector<float> map(maps.begin() + j * cells, maps.begin() + (j + 1) * cells);
    tiles.push_back(resize(overlay_belief(picture, map, rows, cols, 0.0, 1.0), side, side * rows / cols));
  }
  return sheet(tiles, std::min(kColumns, joints + 1), kGap, kPaper);
}

void write_overlay_sheet(const std::filesystem::path& file, const Dataset& dataset,
                         const std::vector<Prediction>& predictions, int people) {
  constexpr int kSide = 256, kColumns = 4, kGap = 6;
  constexpr Color kPaper = {255, 255, 255};
  std::vector<Image> tiles;
  const int64_t count = std::min<int64_t>(people, dataset.size());
  for (int64_t i = 0; i < count; ++i) {
    tiles.push_back(person_picture(dataset, i, kSide, predictions[static_cast<size_t>(i)]));
  }
  if (!tiles.empty()) write_png(file, sheet(tiles, kColumns, kGap, kPaper));
}

}  // namespace cpm
