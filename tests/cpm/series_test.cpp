// What happens to numbers before they are drawn, and to bytes before they are embedded.
#include "cpm/report/series.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpm/report/html.h"
#include "tests/support/catch.h"

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("labels are spread as little as needed") {
  const std::vector<double> apart = cpm::spread({10, 50, 90}, 15, 0, 100);
  CHECK(apart == std::vector<double>{10, 50, 90});
  const std::vector<double> heap = cpm::spread({50, 50, 50}, 10, 0, 100);
  CHECK(heap == std::vector<double>{40, 50, 60});
  CHECK(cpm::spread({51, 10, 50}, 10, 0, 100) ==
        std::vector<double>{55.5, 10, 45.5});  // order of wishes kept
  CHECK(cpm::spread({99, 98}, 10, 0, 100) == std::vector<double>{100, 90});
  CHECK(cpm::spread({-5, 0}, 10, 0, 100) == std::vector<double>{0, 10});
  CHECK(cpm::spread({}, 10, 0, 100).empty());
}

TEST_CASE("axes have round ticks") {
  CHECK(cpm::linear_axis(0, 0.83, 5).ticks.size() == 6);
  CHECK(cpm::linear_axis(0, 0.83, 5).high == 1.0);
  CHECK(cpm::step_axis(1, 5000, 5).ticks == std::vector<double>{1000, 2000, 3000, 4000, 5000});
  CHECK(cpm::step_axis(7, 7, 5).ticks == std::vector<double>{7});
  CHECK(cpm::step_axis(1, 3, 10).ticks == std::vector<double>{1, 2, 3});  // no half steps
  const auto labels = [](const cpm::ChartAxis& axis) {
    std::string all;
    for (const double tick : axis.ticks) all += axis.label(tick) + " ";
    return all;
  };
  CHECK(labels(cpm::log_axis(1.2, 45, 8)) == "2 5 10 20 50 ");
  CHECK(labels(cpm::log_axis(1e-7, 1e3, 8)) == "10⁻⁶ 10⁻⁴ 0.01 1 100 ");
  CHECK(labels(cpm::log_axis(10, 12, 4)) == "10 11 12 ");
  CHECK(labels(cpm::step_axis(1, 60000, 4)) == "20k 40k 60k ");
  for (const double low : {1e-9, 0.3, 7.0, 1e6}) {
    for (const double ratio : {1.0, 1.01, 2.0, 90.0, 1e12}) {
      CAPTURE(low, ratio);
      const cpm::ChartAxis axis = cpm::log_axis(low, low * ratio, 6);
      CHECK(axis.ticks.size() >= 2);
      CHECK(axis.ticks.size() <= 9);
      CHECK(axis.at(low) >= 0);
      CHECK(axis.at(low * ratio) <= 1);
    }
  }
  CHECK(cpm::short_number(0.012345) == "0.0123");
  CHECK(cpm::short_number(1.9) == "1.90");
  CHECK(cpm::short_number(100) == "100");
  CHECK(cpm::short_number(0.1) == "0.100");
  CHECK(cpm::short_number(-15.64) == "-15.6");
  CHECK(cpm::short_number(12500) == "12.5k");
  CHECK(cpm::short_number(2e-5) == "2·10⁻⁵");
  CHECK(cpm::short_number(0) == "0");
}

TEST_CASE("smoothing keeps constants and lines, thinning keeps extremes") {
  cpm::Curve curve;
  for (int i = 0; i < 1000; ++i) {
    curve.x.push_back(i);
    curve.y.push_back(5);
  }
  CHECK(cpm::smooth(curve).y == curve.y);
  for (int i = 0; i < 1000; ++i) curve.y[i] = 2.0 * i;
  const cpm::Curve line = cpm::smooth(curve);
  for (int i = 4; i < 1000 - 12; ++i) CHECK(std::abs(line.y[i] - curve.y[i]) < 1e-9);

  curve.y[77] = -50;
  curve.y[78] = 1e5;
  const cpm::Curve thinned = cpm::thin(curve, 100);
  CHECK(thinned.size() == 100);
  CHECK(*std::min_element(thinned.y.begin(), thinned.y.end()) == -50);
  CHECK(*std::max_element(thinned.y.begin(), thinned.y.end()) == 1e5);
  CHECK(std::is_sorted(thinned.x.begin(), thinned.x.end()));
  CHECK(cpm::thin(curve, 1000).size() == 1000);

  const cpm::Curve drawn = cpm::drawable({1, 2, kNan, 4, 5, 6}, {1, 0, 1, kInf, 5}, true);
  CHECK(drawn.x == std::vector<double>{1, 5});
}

TEST_CASE("base64 follows RFC 4648's own examples") {
  const auto of = [](const std::string& text) {
    return cpm::base64(std::vector<uint8_t>(text.begin(), text.end()));
  };
  CHECK(of("") == "");
  CHECK(of("f") == "Zg==");
  CHECK(of("fo") == "Zm8=");
  CHECK(of("foo") == "Zm9v");
  CHECK(of("foob") == "Zm9vYg==");
  CHECK(of("fooba") == "Zm9vYmE=");
  CHECK(of("foobar") == "Zm9vYmFy");
  CHECK(cpm::base64(std::vector<uint8_t>{0xff, 0xfe, 0xfb}) == "//77");
}
