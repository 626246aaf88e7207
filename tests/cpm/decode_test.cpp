// Joints found again in the belief maps that targets.h draws for them.
#include "cpm/decode.h"

#include <cmath>

#include "cpm/dataset/targets.h"
#include "tests/support/catch.h"

using cpm::FullMaps;
using cpm::InputPerson;
using cpm::Joint;

namespace {

constexpr int kHeight = 96, kWidth = 128;

/// Maps of a person on an input of the sizes above.
std::vector<float> draw(const std::vector<Joint>& joints) {
  const int k = static_cast<int>(joints.size());
  std::vector<float> maps(static_cast<size_t>(k + 1) * (kHeight / 8) * (kWidth / 8));
  cpm::draw_targets({InputPerson{joints}}, k, kHeight / 8, kWidth / 8, maps.data());
  return maps;
}

std::vector<Joint> found_in(const FullMaps& maps) {
  std::vector<double> scores;
  return maps.joints(&scores);
}

/// All 14 joints at different places away from the border.
std::vector<Joint> spread_joints() {
  std::vector<Joint> joints;
  for (int j = 0; j < 14; ++j) joints.push_back({30.0 + (j * 29) % 67, 25.0 + (j * 17) % 46, true});
  return joints;
}

Joint zoomed(Joint joint, double zoom, bool mirrored) {
  joint.x = (kWidth - 1) / 2.0 + (mirrored ? -1 : 1) * zoom * (joint.x - (kWidth - 1) / 2.0);
  joint.y = (kHeight - 1) / 2.0 + zoom * (joint.y - (kHeight - 1) / 2.0);
  return joint;
}

/// What the network would see in a zoomed and, perhaps, mirrored view: twins have changed names there.
std::vector<float> draw_view(std::vector<Joint> joints, double zoom, bool mirrored) {
  for (Joint& joint : joints) joint = zoomed(joint, zoom, mirrored);
  if (mirrored) {
    for (const auto& [a, b] : cpm::lsp_schema().flip_pairs) {
      std::swap(joints[static_cast<size_t>(a)], joints[static_cast<size_t>(b)]);
    }
  }
  return draw(joints);
}

double worst_error(const std::vector<Joint>& found, const std::vector<Joint>& truth) {
  double worst = 0;
  for (size_t j = 0; j < truth.size(); ++j) {
    worst = std::max({worst, std::fabs(found[j].x - truth[j].x), std::fabs(found[j].y - truth[j].y)});
  }
  return worst;
}

}  // namespace

TEST_CASE("decode: a target's joint is found where it was drawn") {
  // At a cell's middle within the half pixel that the grid allows. Between cells the cubic leans towards the
  // nearer one by less than a pixel, evenly to both sides: a shifted frame would show in the mean.
  const cpm::JointSchema schema = cpm::numbered_schema(1);
  double sum_x = 0, sum_y = 0;
  for (int phase = 0; phase < 64; ++phase) {
    const double x = 59.5 + phase / 8.0, y = 35.5 + (phase * 5 % 64) / 8.0;
    FullMaps maps(1, kHeight, kWidth);
    maps.add(draw({{x, y, true}}).data(), 1, false, schema);
    std::vector<double> scores;
    const std::vector<Joint> found = maps.joints(&scores);
    REQUIRE(found.size() == 1);
    CHECK(found[0].labelled);
    CHECK(scores[0] == maps.at(0, static_cast<int>(found[0].x), static_cast<int>(found[0].y)));
    CAPTURE(x, y, found[0].x, found[0].y, scores[0]);
    CHECK(std::fabs(found[0].x - x) <= (phase == 0 ? 0.5 : 1.5));
    CHECK(std::fabs(found[0].y - y) <= (phase == 0 ? 0.5 : 1.5));
    CHECK(scores[0] > 0.85);
    sum_x += found[0].x - x;
    sum_y += found[0].y - y;
  }
  CAPTURE(sum_x / 64, sum_y / 64);
  CHECK(std::fabs(sum_x / 64) < 0.1);
  CHECK(std::fabs(sum_y / 64) < 0.1);
}

TEST_CASE("decode: every joint at a cell's middle is found within half a pixel") {
  for (int cell = 2; cell < 10; ++cell) {
    std::vector<Joint> truth;
    for (int j = 0; j < 14; ++j)
      truth.push_back({8.0 * (2 + (j * 5 + cell) % 12) + 3.5, 8.0 * cell + 3.5, true});
    FullMaps maps(14, kHeight, kWidth);
    maps.add(draw(truth).data(), 1, false, cpm::lsp_schema());
    CHECK(worst_error(found_in(maps), truth) <= 0.5);
  }
}

TEST_CASE(
    "decode: between cells the interpolation is Keys' cubic, and at their middle the cell's own value") {
  std::vector<float> cells(2 * 12 * 16, 0.0f);
  cells[5 * 16 + 7] = 1;  // cell (5, 7) lies at input pixel (59.5, 43.5)
  FullMaps maps(1, kHeight, kWidth);
  maps.add(cells.data(), 1, false, cpm::numbered_schema(1));
  const auto keys = [](double t) {
    t = std::fabs(t);
    return t < 1 ? 1.5 * t * t * t - 2.5 * t * t + 1 : t < 2 ? -0.5 * t * t * t + 2.5 * t * t - 4 * t + 2 : 0;
  };
  for (int v = 16; v < 72; v += 3) {
    for (int u = 32; u < 90; u += 5) {
      const double expected = keys((u - 59.5) / 8) * keys((v - 43.5) / 8);
      CAPTURE(u, v);
      CHECK(std::fabs(maps.at(0, u, v) - expected) < 1e-6);
    }
  }
}

TEST_CASE("decode: a mirrored view is turned back, left and right joints exchanged") {
  const std::vector<Joint> truth = spread_joints();
  FullMaps plain(14, kHeight, kWidth), mirrored(14, kHeight, kWidth), both(14, kHeight, kWidth);
  plain.add(draw(truth).data(), 1, false, cpm::lsp_schema());
  mirrored.add(draw_view(truth, 1, true).data(), 1, true, cpm::lsp_schema());
  CHECK(worst_error(found_in(plain), truth) <= 1);
  CHECK(worst_error(found_in(mirrored), truth) <= 1);
  for (const auto& views : {std::pair{false, true}, std::pair{true, false}}) {
    for (const bool flip : {views.first, views.second}) {
      both.add(draw_view(truth, 1, flip).data(), 1, flip, cpm::lsp_schema());
    }
  }
  CHECK(worst_error(found_in(both), truth) <= 1);
  for (int u = 0; u < kWidth; u += 7) {
    const double mean = (plain.at(4, u, 40) + mirrored.at(4, u, 40)) / 2;
    CHECK(std::fabs(both.at(4, u, 40) - mean) < 1e-6);
  }
}

TEST_CASE("decode: views of several zooms agree on the frame of the base crop") {
  const std::vector<Joint> truth = spread_joints();
  for (const double zoom : {0.7, 1.3}) {
    for (const bool mirrored : {false, true}) {
      FullMaps maps(14, kHeight, kWidth);
      maps.add(draw_view(truth, zoom, mirrored).data(), zoom, mirrored, cpm::lsp_schema());
      CAPTURE(zoom, mirrored);
      CHECK(worst_error(found_in(maps), truth) <= (zoom < 1 ? 2 : 1));  // a pixel of the view is 1 / zoom
    }
  }
}

TEST_CASE("decode: what a closer view does not show counts as zero") {
  const std::vector<float> ones(2 * 12 * 16, 1.0f);
  FullMaps maps(1, kHeight, kWidth);
  maps.add(ones.data(), 1, false, cpm::numbered_schema(1));
  maps.add(ones.data(), 2, false, cpm::numbered_schema(1));
  // The view of zoom 2 shows the middle half: columns 32 to 95, rows 24 to 71.
  for (int v = 0; v < kHeight; ++v) {
    for (int u = 0; u < kWidth; ++u) {
      const bool shown = u >= 32 && u <= 95 && v >= 24 && v <= 71;
      REQUIRE(std::fabs(maps.at(0, u, v) - (shown ? 1.0 : 0.5)) < 1e-6);
    }
  }
}
