// Pictures of people: that colours lie where the network's coordinates say, on either side of a mirror.
#include "cpm/pictures.h"

#include <algorithm>
#include <cmath>

#include "cpm/dataset/targets.h"
#include "cpm/report/draw.h"
#include "tests/cpm/dataset_support.h"
#include "tests/support/catch.h"

namespace {

using cpm::Color;
using cpm::Image;

constexpr Color kWarm = {255, 127, 42}, kCool = {46, 134, 235};
constexpr int kRightWrist = 6, kLeftWrist = 11;

/// How far the pixel at (x, y) is from a colour, the largest of the three differences.
int off(const Image& image, double x, double y, Color color) {
  const uint8_t* pixel = image.at(static_cast<int>(std::lround(x)), static_cast<int>(std::lround(y)));
  int most = 0;
  for (int c = 0; c < 3; ++c) most = std::max(most, std::abs(pixel[c] - color[c]));
  return most;
}

/// One person with wrists far apart, right one on the left as of somebody who looks at us.
class Facing : public tests::SmallDataset {
 public:
  Facing() : SmallDataset(1) {}
  cpm::Record record(int64_t) const override {
    cpm::Record record;
    record.name = "facing";
    record.person.joints.resize(14);
    record.person.joints[kRightWrist] = {8, 15, true};
    record.person.joints[kLeftWrist] = {30, 15, true};
    record.person.center_x = 19.5;
    record.person.center_y = 14.5;
    record.person.size = 0.1;
    cpm::Person other = record.person;
    other.joints[kRightWrist].labelled = false;
    other.joints[kLeftWrist] = {19, 27, true};
    record.others.push_back(other);
    return record;
  }
};

}  // namespace

TEST_CASE("input pictures: sides keep their colours in a mirrored picture") {
  const Facing data;
  for (const bool flip : {false, true}) {
    CAPTURE(flip);
    cpm::Batch batch = cpm::make_batch(1, 14, 64, false);
    cpm::Crop crop = cpm::person_crop(data.record(0).person, 64);
    crop.flip = flip;
    cpm::fill_sample(data, 0, crop, false, 0, &batch);
    const Image picture = cpm::input_picture(batch, 0, data.schema(), 128);
    REQUIRE((picture.width == 128 && picture.height == 128));
    // Twice the input's size; the person's right wrist lies on the left, or mirrored is the left one's place.
    double x = 0, y = 0;
    crop.to_input(8, 15, &x, &y);
    CHECK(off(picture, 2 * x + 0.5, 2 * y + 0.5, flip ? kCool : kWarm) < 40);
    crop.to_input(30, 15, &x, &y);
    CHECK(off(picture, 2 * x + 0.5, 2 * y + 0.5, flip ? kWarm : kCool) < 40);
    crop.to_input(19, 27, &x, &y);
    CHECK(off(picture, 2 * x + 0.5, 2 * y + 0.5, {255, 255, 255}) < 100);  // somebody else's
  }
}

TEST_CASE("input pictures: a drawn batch shows the peaks of its targets") {
  cpm::Batch batch = cpm::make_batch(2, 3, 64);
  const cpm::JointSchema schema = cpm::numbered_schema(3);
  std::vector<float>& maps = batch.target_rest;
  std::fill(maps.begin(), maps.end(), 0.0F);
  const int cells = 8 * 8, sample = 4 * cells;
  maps[sample + 2 * 8 + 5] = 0.9F;          // joint 1 of sample 1 in cell (5, 2)
  maps[sample + cells + 6 * 8 + 1] = 0.7F;  // joint 2; joint 3 has an empty map
  const Image picture = cpm::input_picture(batch, 1, schema, 64);
  Image plain = cpm::image_of_input(batch.image.data(), 64, 64);
  CHECK(off(picture, 8 * 5 + 3.5, 8 * 2 + 3.5, {186, 192, 200}) < 60);
  CHECK(off(picture, 8 * 1 + 3.5, 8 * 6 + 3.5, {186, 192, 200}) < 60);
  // Nothing else is drawn.
  int changed = 0;
  for (size_t i = 0; i < picture.rgb.size(); ++i) changed += picture.rgb[i] != plain.rgb[i];
  CHECK(changed < 2 * 3 * 40);
  CHECK(cpm::input_picture(batch, 0, schema, 64).rgb == plain.rgb);
}

TEST_CASE("belief strips: a tile a stage, the truth ringed in each, bright where the belief is") {
  const Facing data;
  const cpm::PersonView view = cpm::person_view(data, 0, 80);
  CHECK(view.truth.size() == 14);
  std::vector<std::vector<float>> maps(3, std::vector<float>(100, 0.0F));
  maps[2][9 * 10 + 9] = 1;  // the last stage's in the lower right corner
  const Image strip = cpm::belief_strip(view, kLeftWrist, maps);
  CHECK(strip.width == 3 * 80 + 2 * 3);
  CHECK(strip.height == 80);
  const Image background = cpm::belief_strip(view, 14, maps);  // has no place, so no ring
  const cpm::Joint& at = view.truth[kLeftWrist];
  for (int tile = 0; tile < 3; ++tile) {
    const int x = tile * 83 + static_cast<int>(std::lround(at.x + 0.06 * 80));
    const int y = static_cast<int>(std::lround(at.y));
    CHECK(strip.at(x, y)[0] > background.at(x, y)[0] + 50);
  }
  const auto brightness = [&](int tile) { return strip.at(tile * 83 + 77, 77)[0]; };
  CHECK(brightness(2) > brightness(0) + 80);
  CHECK(brightness(1) == brightness(0));
}
