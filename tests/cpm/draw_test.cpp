// Drawing, against areas and values known beforehand: a shape's covered area is its geometric area, and
// mixing is exact to rounding.
#include "cpm/report/draw.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "cpm/report/color_map.h"
#include "kernels/base/error.h"
#include "tests/support/catch.h"

namespace {

using cpm::Color;
using cpm::Image;

constexpr Color kBlack = {0, 0, 0}, kWhite = {255, 255, 255};

/// White painted on black, in pixels.
double area(const Image& image) {
  double sum = 0;
  for (const uint8_t value : image.rgb) sum += value;
  return sum / 3 / 255;
}

size_t changed(const Image& a, const Image& b) {
  size_t count = 0;
  for (size_t i = 0; i < a.rgb.size(); i += 3) {
    count += a.rgb[i] != b.rgb[i] || a.rgb[i + 1] != b.rgb[i + 1] || a.rgb[i + 2] != b.rgb[i + 2];
  }
  return count;
}

double luminance(Color color) {
  const auto linear = [](double c) { return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4); };
  return 0.2126 * linear(color[0] / 255.0) + 0.7152 * linear(color[1] / 255.0) +
         0.0722 * linear(color[2] / 255.0);
}

Image grey_row(const std::vector<uint8_t>& values) {
  Image image(static_cast<int>(values.size()), 1, kBlack);
  for (int x = 0; x < image.width; ++x) std::fill_n(image.at(x, 0), 3, values[x]);
  return image;
}

std::vector<int> row_of(const Image& image) {
  std::vector<int> values;
  for (int x = 0; x < image.width; ++x) values.push_back(*image.at(x, 0));
  return values;
}

/// A person who fills the image, every joint on another place.
std::vector<cpm::Joint> figure(int side) {
  std::vector<cpm::Joint> joints(14);
  for (int i = 0; i < 14; ++i) {
    joints[i] = {side * (0.5 + 0.4 * std::cos(0.7 * i)), side * (0.5 + 0.4 * std::sin(1.3 * i)), true};
  }
  return joints;
}

}  // namespace

TEST_CASE("a line of width 3 covers exactly three rows") {
  Image image(40, 20, kBlack);
  cpm::draw_line(&image, 5, 10, 34, 10, 3, kWhite, 1);
  for (int y = 0; y < 20; ++y) {
    for (int x = 6; x < 34; ++x) CHECK(int{*image.at(x, y)} == (y >= 9 && y <= 11 ? 255 : 0));
  }
  Image turned(20, 40, kBlack);
  cpm::draw_line(&turned, 10, 34, 10, 5, 3, kWhite, 1);
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 40; ++x) CHECK(*image.at(x, y) == *turned.at(y, x));
  }
}

TEST_CASE("half-covered rows are half as strong") {
  Image image(20, 20, kBlack);
  cpm::draw_line(&image, 3, 10, 16, 10, 2, kWhite, 1);
  CHECK(int{*image.at(8, 8)} == 0);
  CHECK(int{*image.at(8, 9)} == 128);
  CHECK(int{*image.at(8, 10)} == 255);
  CHECK(int{*image.at(8, 11)} == 128);
}

TEST_CASE("alpha mixes what is there with the colour") {
  Image image(9, 9, Color{100, 0, 255});
  cpm::draw_disc(&image, 4, 4, 3, Color{200, 255, 0}, 0.25);
  CHECK(int{image.at(4, 4)[0]} == 125);
  CHECK(int{image.at(4, 4)[1]} == 64);   // 63.75
  CHECK(int{image.at(4, 4)[2]} == 191);  // 191.25
  CHECK(int{image.at(0, 0)[0]} == 100);
  const Image before = image;
  cpm::draw_disc(&image, 4, 4, 3, kWhite, 0);
  CHECK(image.rgb == before.rgb);
  cpm::draw_disc(&image, 4, 4, 3, kWhite, 7);  // as 1
  CHECK(int{image.at(4, 4)[0]} == 255);
}

TEST_CASE("a polygon covers its area, holes and crossings by the even-odd rule") {
  using cpm::Point;
  Image square(20, 20, kBlack);
  cpm::draw_polygon(&square, std::vector<Point>{{2.5, 3.5}, {9.5, 3.5}, {9.5, 8.5}, {2.5, 8.5}}, kWhite, 1);
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 20; ++x)
      CHECK(int{*square.at(x, y)} == (x >= 3 && x <= 9 && y >= 4 && y <= 8 ? 255 : 0));
  }
  Image triangle(64, 64, kBlack);
  cpm::draw_polygon(&triangle, std::vector<Point>{{3.2, 5.1}, {60.7, 20.4}, {17.9, 58.3}}, kWhite, 1);
  CHECK(std::abs(area(triangle) - 0.5 * std::abs(57.5 * 53.2 - 14.7 * 15.3)) < 1);
  Image shifted(20, 20, kBlack);  // a quarter of a pixel to the right: exact in part
  cpm::draw_polygon(&shifted, std::vector<Point>{{2.75, 3.5}, {9.75, 3.5}, {9.75, 8.5}, {2.75, 8.5}}, kWhite,
                    1);
  CHECK(int{*shifted.at(3, 5)} == 191);
  CHECK(int{*shifted.at(10, 5)} == 64);
  Image ring(20, 20, kBlack);  // outer and inner square in one outline
  cpm::draw_polygon(&ring,
                    std::vector<Point>{{1.5, 1.5},
                                       {13.5, 1.5},
                                       {13.5, 13.5},
                                       {1.5, 13.5},
                                       {1.5, 1.5},
                                       {4.5, 4.5},
                                       {4.5, 9.5},
                                       {9.5, 9.5},
                                       {9.5, 4.5},
                                       {4.5, 4.5}},
                    kWhite, 1);
  CHECK(area(ring) == 144 - 25);
  CHECK(int{*ring.at(7, 7)} == 0);
  Image clipped(8, 8, kBlack);
  cpm::draw_polygon(&clipped, std::vector<Point>{{-1e9, -1e9}, {1e9, -1e9}, {1e9, 1e9}, {-1e9, 1e9}}, kWhite,
                    0.5);
  CHECK(int{*clipped.at(0, 0)} == 128);
  CHECK(int{*clipped.at(7, 7)} == 128);
  const Image before = clipped;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  cpm::draw_polygon(&clipped, std::vector<Point>{{0, 0}, {nan, 3}, {4, 4}}, kWhite, 1);
  cpm::draw_polygon(&clipped, std::vector<Point>{{0, 0}, {4, 4}}, kWhite, 1);
  CHECK(clipped.rgb == before.rgb);
}

TEST_CASE("shapes cover their geometric area") {
  constexpr double kPi = std::numbers::pi;
  for (const double radius : {1.5, 3.0, 7.3, 20.0}) {
    for (const double shift : {0.0, 0.37, 0.5}) {
      CAPTURE(radius, shift);
      Image disc(64, 64, kBlack);
      cpm::draw_disc(&disc, 31 + shift, 32 - shift, radius, kWhite, 1);
      CHECK(std::abs(area(disc) / (kPi * radius * radius) - 1) < 0.01);
      Image ring(64, 64, kBlack);
      cpm::draw_ring(&ring, 31 + shift, 32 - shift, radius, 1.6, kWhite, 1);
      CHECK(std::abs(area(ring) / (2 * kPi * radius * 1.6) - 1) < 0.01);
    }
  }
  Image line(64, 64, kBlack);
  cpm::draw_line(&line, 10.2, 12.7, 51.3, 40.1, 4.5, kWhite, 1);
  const double length = std::hypot(51.3 - 10.2, 40.1 - 12.7);
  CHECK(std::abs(area(line) / (4.5 * length + kPi * 2.25 * 2.25) - 1) < 0.01);  // with round ends
}

TEST_CASE("what lies outside is clipped, what is not finite is not drawn") {
  const Image before(16, 12, Color{7, 8, 9});
  Image image = before;
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const double far : {-100.0, 1e12, -1e300, nan, inf}) {
    cpm::draw_disc(&image, far, 3, 5, kWhite, 1);
    cpm::draw_ring(&image, 3, far, 5, 2, kWhite, 1);
    cpm::draw_line(&image, far, far, far + 3, far, 2, kWhite, 1);
  }
  cpm::draw_disc(&image, 5, 5, -3, kWhite, 1);
  cpm::draw_line(&image, 0, 0, 5, 5, 2, kWhite, nan);
  CHECK(image.rgb == before.rgb);

  cpm::draw_line(&image, -1e7, 6, 1e7, 6, 1, kWhite, 1);
  for (int x = 0; x < 16; ++x) CHECK(int{*image.at(x, 6)} == 255);
  CHECK(changed(image, before) == 16);
  cpm::draw_disc(&image, 8, 6, 1000, kWhite, 1);
  CHECK(area(image) == 16 * 12);

  // The corner's quarter of a disc is what the whole disc shows there.
  Image whole(40, 40, kBlack), corner(20, 20, kBlack);
  cpm::draw_disc(&whole, 20, 20, 9.5, kWhite, 1);
  cpm::draw_disc(&corner, 0, 0, 9.5, kWhite, 1);
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 20; ++x) CHECK(*corner.at(x, y) == *whole.at(20 + x, 20 + y));
  }
  Image empty;
  cpm::draw_disc(&empty, 0, 0, 3, kWhite, 1);
  CHECK(empty.rgb.empty());
}

TEST_CASE("the colour map gets lighter from end to end") {
  double last = -1;
  for (int i = 0; i <= 256; ++i) {
    const double now = luminance(cpm::belief_color(i / 256.0));
    CHECK(now >= last);
    last = now;
  }
  CHECK(luminance(cpm::belief_color(0)) < 0.01);
  CHECK(luminance(cpm::belief_color(1)) > 0.85);
  CHECK(cpm::belief_color(-5) == cpm::belief_color(0));
  CHECK(cpm::belief_color(5) == cpm::belief_color(1));
  CHECK(cpm::belief_color(std::numeric_limits<double>::quiet_NaN()) == cpm::belief_color(0));
}

TEST_CASE("resizing keeps constants and ramps") {
  const Image flat(13, 7, Color{3, 150, 255});
  for (const auto& [width, height] : {std::pair{40, 31}, {5, 3}, {40, 3}, {1, 1}, {13, 7}}) {
    const Image other = cpm::resize(flat, width, height);
    REQUIRE(other.width == width);
    REQUIRE(other.height == height);
    CHECK(other.rgb == Image(width, height, Color{3, 150, 255}).rgb);
  }
  const Image ramp = grey_row({0, 20, 40, 60, 80, 100});
  CHECK(row_of(cpm::resize(ramp, 6, 1)) == std::vector<int>{0, 20, 40, 60, 80, 100});
  CHECK(row_of(cpm::resize(ramp, 3, 1)) == std::vector<int>{10, 50, 90});
  CHECK(row_of(cpm::resize(ramp, 1, 1)) == std::vector<int>{50});
  // Footprints of 1.5 pixels: (0 + 20 / 2) / 1.5, (20 / 2 + 40) / 1.5, ...
  CHECK(row_of(cpm::resize(ramp, 4, 1)) == std::vector<int>{7, 33, 67, 93});
  // Centres at 1/4 and 3/4 between neighbours, the border repeated.
  CHECK(row_of(cpm::resize(ramp, 12, 1)) == std::vector<int>{0, 5, 15, 25, 35, 45, 55, 65, 75, 85, 95, 100});
  CHECK(row_of(cpm::resize(grey_row({9}), 3, 2)) == std::vector<int>{9, 9, 9});
  REQUIRE_THROWS_AS(cpm::resize(ramp, 0, 1), kernels::Error);
}

TEST_CASE("a belief map lies over the grey image, at its place") {
  const Image image(80, 48, Color{200, 100, 50});
  const double grey = std::round(0.299 * 200 + 0.587 * 100 + 0.114 * 50);
  const auto mixed = [&](double t, int c) {
    const double weight = 0.35 + 0.5 * t;
    return static_cast<int>(std::lround(grey * (1 - weight) + cpm::belief_color(t)[c] * weight));
  };
  for (const auto& [value, t] :
       {std::pair{2.0f, 0.0}, {3.0f, 0.5}, {4.0f, 1.0}, {-9.0f, 0.0}, {99.0f, 1.0}}) {
    const Image laid = cpm::overlay_belief(image, std::vector<float>(60, value), 6, 10, 2, 4);
    for (int c = 0; c < 3; ++c) {
      CHECK(int{laid.at(0, 0)[c]} == mixed(t, c));
      CHECK(int{laid.at(79, 47)[c]} == mixed(t, c));
    }
  }
  // Cell i of a map of stride 8 has its centre at pixel 8 i + 3.5.
  std::vector<float> peak(60, 0.0f);
  peak[2 * 10 + 7] = 1;
  const Image laid = cpm::overlay_belief(image, peak, 6, 10, 0, 1);
  for (const int x : {59, 60}) {
    for (const int y : {19, 20}) CHECK(int{laid.at(x, y)[0]} > int{laid.at(x > 59 ? 63 : 56, y)[0]});
  }
  CHECK(laid.at(59, 19)[0] == laid.at(60, 20)[0]);
  CHECK(int{laid.at(20, 40)[0]} == mixed(0, 0));

  peak.assign(60, std::numeric_limits<float>::quiet_NaN());
  CHECK(int{cpm::overlay_belief(image, peak, 6, 10, 0, 1).at(5, 5)[0]} == mixed(0, 0));
  CHECK(int{cpm::overlay_belief(image, std::vector<float>(60, 1.0f), 6, 10, 1, 1).at(5, 5)[0]} ==
        mixed(1, 0));
  REQUIRE_THROWS_AS(cpm::overlay_belief(image, peak, 6, 9, 0, 1), kernels::Error);
}

TEST_CASE("a network input turns back into its image") {
  std::vector<float> planes(3 * 6);
  for (int i = 0; i < 18; ++i) planes[i] = static_cast<float>(i * 15 - 128) / 256.0f;
  planes[0] = -3;
  planes[17] = 3;
  const Image image = cpm::image_of_input(planes.data(), 3, 2);
  REQUIRE(image.width == 3);
  REQUIRE(image.height == 2);
  for (int i = 1; i < 17; ++i) CHECK(int{image.rgb[(i % 6) * 3 + i / 6]} == i * 15);
  CHECK(int{image.rgb[0]} == 0);
  CHECK(int{image.rgb[17]} == 255);
}

TEST_CASE("a sheet has room for its largest picture and gaps in between") {
  const Color ground = {9, 9, 9};
  std::vector<Image> pictures(5, Image(10, 6, kWhite));
  pictures[1] = Image(4, 8, Color{1, 2, 3});
  const Image sheet = cpm::sheet(pictures, 3, 2, ground);
  CHECK(sheet.width == 3 * 10 + 2 * 2);
  CHECK(sheet.height == 2 * 8 + 2);
  CHECK(int{*sheet.at(0, 0)} == 9);    // above the first, which is lower than its cell
  CHECK(int{*sheet.at(0, 1)} == 255);  // and in its middle
  CHECK(int{*sheet.at(10, 4)} == 9);   // a gap
  CHECK(int{*sheet.at(15, 0)} == 1);
  CHECK(int{*sheet.at(18, 7)} == 1);
  CHECK(int{*sheet.at(19, 7)} == 9);
  CHECK(int{*sheet.at(30, 15)} == 9);  // the sixth cell is empty
  double painted = 0;
  for (size_t i = 0; i < sheet.rgb.size(); i += 3) painted += sheet.rgb[i] != 9;
  CHECK(painted == 4 * 60 + 32);
  CHECK(cpm::sheet({pictures[0]}, 4, 3, ground).rgb == pictures[0].rgb);
  CHECK(cpm::sheet({}, 4, 3, ground).width == 0);
}

TEST_CASE("limbs are warm on the right, cool on the left, neutral in between") {
  const cpm::JointSchema& schema = cpm::lsp_schema();
  for (const auto& limb : schema.limbs) {
    const std::string a = schema.names[limb.first], b = schema.names[limb.second];
    const bool right = a.find("right") == 0 || b.find("right") == 0;
    const bool left = a.find("left") == 0 || b.find("left") == 0;
    const Color color = cpm::limb_color(schema, limb);
    CAPTURE(a, b);
    if (right && !left) CHECK(color[0] > color[2] + 80);
    if (left && !right) CHECK(color[2] > color[0] + 80);
    if (left == right) CHECK(std::abs(color[0] - color[2]) < 40);
  }
  CHECK(cpm::limb_color(schema, {0, 1}) != cpm::limb_color(schema, {1, 2}));  // neighbours differ
}

TEST_CASE("skeletons grow with the image, and leave unlabelled joints out") {
  const cpm::JointSchema& schema = cpm::lsp_schema();
  for (const auto style : {cpm::SkeletonStyle::Predicted, cpm::SkeletonStyle::Truth}) {
    const Image small_before(300, 300, kBlack), large_before(900, 900, kBlack);
    Image small_image = small_before, large_image = large_before;
    cpm::draw_skeleton(&small_image, figure(300), schema, style);
    cpm::draw_skeleton(&large_image, figure(900), schema, style);
    const double ratio = area(large_image) / area(small_image);
    CHECK(ratio > 8.5);
    CHECK(ratio < 9.5);

    std::vector<cpm::Joint> none = figure(300);
    for (auto& joint : none) joint.labelled = false;
    Image untouched = small_before;
    cpm::draw_skeleton(&untouched, none, schema, style);
    CHECK(untouched.rgb == small_before.rgb);

    none[13].labelled = true;  // a joint without its limbs' other ends is a dot
    cpm::draw_skeleton(&untouched, none, schema, style);
    const int x = static_cast<int>(std::lround(none[13].x)), y = static_cast<int>(std::lround(none[13].y));
    CHECK(int{*untouched.at(x, y)} > 150);
    CHECK(changed(untouched, small_before) < 150);
  }
  Image image(50, 50, kBlack);
  REQUIRE_THROWS_AS(cpm::draw_skeleton(&image, std::vector<cpm::Joint>(3), schema, cpm::SkeletonStyle::Truth),
                    kernels::Error);
}

TEST_CASE("the true skeleton is white with a dark edge") {
  const cpm::JointSchema& schema = cpm::lsp_schema();
  std::vector<cpm::Joint> joints(14);
  joints[0] = {20, 100, true};
  joints[1] = {180, 100, true};
  Image image(200, 200, Color{128, 128, 128});
  cpm::draw_skeleton(&image, joints, schema, cpm::SkeletonStyle::Truth);
  CHECK(int{*image.at(100, 100)} == 255);
  CHECK(int{*image.at(100, 101)} < 128);
  CHECK(int{*image.at(100, 99)} < 128);
  CHECK(int{*image.at(100, 104)} == 128);
}
