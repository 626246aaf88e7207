#include "cpm/pictures.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpm/dataset/loader.h"
#include "cpm/report/draw.h"
#include "cpm/report/stroke_font.h"

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

namespace {

constexpr Color kPaper = {255, 255, 255}, kInk = {30, 34, 42};
constexpr int kLine = 16;  // a line of text, pixels
constexpr double kFont = 11;

double width_of(const std::string& text) {
  return stroke_text(text, kFont).width;
}

/// (x, y) is the start of the baseline.
void draw_words(Image* image, double x, double y, const std::string& text, Color color, double width = 1.1) {
  for (const auto& line : stroke_text(text, kFont).lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      const Point &a = line[i == 0 ? 0 : i - 1], &b = line[i];
      if (i > 0 || line.size() == 1) draw_line(image, x + a.x, y + a.y, x + b.x, y + b.y, width, color, 1);
    }
  }
}

/// `text` cut to `width` pixels, the end kept: names differ there.
std::string fit(const std::string& text, double width) {
  constexpr size_t kMost = 300;
  std::string kept = text.substr(text.size() - std::min(text.size(), kMost));
  while (!kept.empty() && width_of(kept == text ? kept : "..." + kept) > width) kept.erase(0, 1);
  return kept == text ? text : "..." + kept;
}

/// "ankle" of right_ankle: the colour tells the side.
std::string without_side(const std::string& name) {
  const size_t bar = name.find('_');
  const std::string side = name.substr(0, bar);
  return bar != std::string::npos && (side == "left" || side == "right") ? name.substr(bar + 1) : name;
}

Image labelled_picture(const Dataset& dataset, int64_t i, const SheetOptions& options) {
  const Record record = dataset.record(i);
  const JointSchema& schema = dataset.schema();
  const Crop crop = person_crop(record.person, options.side);
  Image picture = crop_picture(dataset.image(i), crop);
  const std::vector<Joint> joints = in_crop(record.person.joints, crop);
  draw_skeleton(&picture, joints, schema, SkeletonStyle::Predicted);
  int labelled = 0;
  for (int j = 0; j < schema.count(); ++j) {
    const Joint& joint = joints[static_cast<size_t>(j)];
    labelled += joint.labelled ? 1 : 0;
    if (!joint.labelled || !options.names) continue;
    const std::string name = without_side(schema.names[static_cast<size_t>(j)]);
    draw_words(&picture, joint.x + 6, joint.y + 4, name, {0, 0, 0}, 3);
    draw_words(&picture, joint.x + 6, joint.y + 4, name, joint_color(schema, j), 1.3);
  }
  Image tile(options.side, options.side + kLine, kPaper);
  std::copy(picture.rgb.begin(), picture.rgb.end(), tile.rgb.begin());
  const std::string caption = fmt::format("{}  {}/{}  ", record.number, labelled, schema.count());
  const double width = width_of(caption), base = options.side + kLine - 4;
  draw_words(&tile, 2, base, caption, kInk);
  draw_words(&tile, 2 + width, base, fit(record.name, options.side - width - 4), kInk);
  return tile;
}

/// The colours' meaning, by a joint of each side.
Image legend(const JointSchema& schema, int width, const std::string& description) {
  Image strip(width, 2 * kLine, kPaper);
  draw_words(&strip, 2, kLine - 4, fit(description, width - 4), kInk);
  double x = 2;
  for (const std::string side : {"right", "left", ""}) {
    for (int j = 0; j < schema.count(); ++j) {
      const std::string& name = schema.names[static_cast<size_t>(j)];
      const bool sided = name.find("right") != std::string::npos || name.find("left") != std::string::npos;
      if (side.empty() ? sided : name.find(side) == std::string::npos) continue;
      const std::string text = side.empty() ? "in the middle" : "the person's " + side;
      draw_disc(&strip, x + 5, 2 * kLine - 8, 5, joint_color(schema, j), 1);
      draw_words(&strip, x + 14, 2 * kLine - 4, text, kInk);
      x += 14 + width_of(text) + 16;
      break;
    }
  }
  return strip;
}

}  // namespace

Image contact_sheet(const Dataset& dataset, const SheetOptions& options) {
  constexpr int kColumns = 4, kGap = 6;
  const int64_t end = std::min(dataset.size(), options.first + options.count);
  CPM_CHECK(options.first >= 0 && options.first < end, "a sheet from {} of {}", options.first,
            dataset.size());
  std::vector<Image> tiles;
  for (int64_t i = options.first; i < end; ++i) tiles.push_back(labelled_picture(dataset, i, options));
  const Image pictures = sheet(tiles, kColumns, kGap, kPaper);
  const Image top = legend(dataset.schema(), pictures.width, dataset.description());
  Image whole(pictures.width, top.height + kGap + pictures.height, kPaper);
  std::copy(top.rgb.begin(), top.rgb.end(), whole.rgb.begin());
  std::copy(pictures.rgb.begin(), pictures.rgb.end(), whole.at(0, top.height + kGap));
  return whole;
}

Image belief_sheet(const Image& picture, const std::vector<float>& maps, int joints, int side) {
  constexpr int kColumns = 5, kGap = 4;
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
  std::vector<Image> tiles;
  const int64_t count = std::min<int64_t>(people, dataset.size());
  for (int64_t i = 0; i < count; ++i) {
    tiles.push_back(person_picture(dataset, i, kSide, predictions[static_cast<size_t>(i)]));
  }
  if (!tiles.empty()) write_png(file, sheet(tiles, kColumns, kGap, kPaper));
}

}  // namespace cpm
