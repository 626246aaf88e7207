#include "cpm/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

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

PersonView person_view(const Dataset& dataset, int64_t i, int side) {
  const Record record = dataset.record(i);
  const Crop crop = person_crop(record.person, side);
  return {crop_picture(dataset.image(i), crop), in_crop(record.person.joints, crop), crop};
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

Image person_picture(const Dataset& dataset, int64_t i, int side, const Prediction& prediction) {
  PersonView view = person_view(dataset, i, side);
  draw_skeleton(&view.picture, in_crop(prediction.joints, view.crop), dataset.schema(),
                SkeletonStyle::Predicted);
  draw_skeleton(&view.picture, view.truth, dataset.schema(), SkeletonStyle::Truth);
  return std::move(view.picture);
}

Image belief_strip(const PersonView& view, int joint, const std::vector<std::vector<float>>& maps) {
  constexpr int kGap = 3;
  constexpr Color kDark = {16, 18, 24}, kWhite = {255, 255, 255};
  const int side = view.picture.width;
  const Joint truth =
      joint < static_cast<int>(view.truth.size()) ? view.truth[static_cast<size_t>(joint)] : Joint{};
  std::vector<Image> tiles;
  for (const std::vector<float>& map : maps) {
    const auto cells = static_cast<int>(std::lround(std::sqrt(static_cast<double>(map.size()))));
    Image tile = overlay_belief(view.picture, map, cells, cells, 0.0, 1.0);
    if (truth.labelled) {
      draw_ring(&tile, truth.x, truth.y, 0.06 * side, 2.6, kDark, 0.7);
      draw_ring(&tile, truth.x, truth.y, 0.06 * side, 1.4, kWhite, 1);
    }
    tiles.push_back(std::move(tile));
  }
  return sheet(tiles, std::max(1, static_cast<int>(tiles.size())), kGap, kDark);
}

namespace {

/// The people of sample `slot`, joints in input pixels, the centre person first.
std::vector<std::vector<Joint>> people_of(const Batch& batch, int slot) {
  std::vector<std::vector<Joint>> people;
  const auto joints = static_cast<size_t>(batch.joints);
  const auto first = batch.people.first.at(static_cast<size_t>(slot)),
             last = batch.people.first.at(static_cast<size_t>(slot) + 1);
  for (int64_t person = first; person < last; ++person) {
    std::vector<Joint>& to = people.emplace_back();
    for (size_t j = 0; j < joints; ++j) {
      const auto& joint = batch.people.joints.at(static_cast<size_t>(person) * joints + j);
      to.push_back({joint.x, joint.y, joint.labelled != 0});
    }
  }
  return people;
}

/// Where the target maps of sample `slot` have their peaks, in input pixels; none where they are flat.
std::vector<Joint> peaks_of(const Batch& batch, int slot) {
  constexpr float kLeastPeak = 0.1F;
  const int columns = batch.width / kStride, cells = batch.height / kStride * columns;
  std::vector<Joint> joints;
  for (int j = 0; j < batch.joints; ++j) {
    const auto map =
        batch.target_rest.begin() + (static_cast<std::ptrdiff_t>(slot) * (batch.joints + 1) + j) * cells;
    const auto peak = std::max_element(map, map + cells);
    const auto cell = static_cast<int>(peak - map);
    const double middle = (kStride - 1) / 2.0;
    joints.push_back(
        {kStride * (cell % columns) + middle, kStride * (cell / columns) + middle, *peak > kLeastPeak});
  }
  return joints;
}

}  // namespace

Image input_picture(const Batch& batch, int slot, const JointSchema& schema, int side) {
  const size_t pixels = static_cast<size_t>(batch.width) * batch.height;
  const Image input =
      image_of_input(batch.image.data() + static_cast<size_t>(slot) * 3 * pixels, batch.width, batch.height);
  Image picture = resize(input, side * batch.width / batch.height, side);
  const double scale = static_cast<double>(side) / batch.height;
  std::vector<std::vector<Joint>> people;
  if (batch.drawn) {
    people.push_back(peaks_of(batch, slot));
  } else {
    people = people_of(batch, slot);
  }
  for (size_t i = people.size(); i-- > 0;) {  // the centre person above all others
    for (Joint& joint : people[i]) {
      joint.x = (joint.x + 0.5) * scale - 0.5;
      joint.y = (joint.y + 0.5) * scale - 0.5;
    }
    draw_skeleton(&picture, people[i], schema, i == 0 ? SkeletonStyle::Predicted : SkeletonStyle::Truth);
  }
  return picture;
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
