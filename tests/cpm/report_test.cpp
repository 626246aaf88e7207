// The report page: what is given is there, what is missing leaves no trace, and nothing from outside gets
// through as markup. Numbers behind the curves are checked where they are computed.
#include "cpm/report/report.h"

#include <cmath>
#include <limits>
#include <set>
#include <sstream>

#include "cpm/report/chart.h"
#include "cpm/report/html.h"
#include "cpm/report/series.h"
#include "tests/support/catch.h"

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

size_t times(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

/// The first tag that is not closed in its turn, or "".
std::string unbalanced(const std::string& html) {
  static const std::set<std::string> kVoid = {"meta", "link", "img", "!DOCTYPE", "br"};
  std::vector<std::string> open;
  for (size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at)) {
    const size_t end = html.find('>', at);
    if (end == std::string::npos) return "a tag without end";
    const std::string tag = html.substr(at + 1, end - at - 1);
    at = end;
    const std::string name = tag.substr(tag[0] == '/', tag.find_first_of(" />", 1) - (tag[0] == '/'));
    if (has(tag, "<")) return tag;
    if (times(tag, "\"") % 2 != 0) return tag;
    if (tag[0] == '/') {
      if (open.empty() || open.back() != name) return tag;
      open.pop_back();
    } else if (tag.back() != '/' && kVoid.count(name) == 0) {
      open.push_back(name);
    }
    if (name == "style" && tag[0] != '/') at = html.find("</style>", at);
  }
  return open.empty() ? "" : open.back();
}

/// Everything within <svg> ... </svg>.
std::string svgs(const std::string& html) {
  std::string all;
  for (size_t at = html.find("<svg"); at != std::string::npos; at = html.find("<svg", at + 1)) {
    all += html.substr(at, html.find("</svg>", at) - at);
  }
  return all;
}

size_t most_points(const std::string& svg) {
  size_t most = 0;
  for (size_t at = svg.find("points=\""); at != std::string::npos; at = svg.find("points=\"", at + 1)) {
    const size_t begin = at + 8, end = svg.find('"', begin);
    most = std::max(most, times(svg.substr(begin, end - begin), ","));
  }
  return most;
}

/// A run of some steps: losses fall and scatter, evenly over the decades.
cpm::ReportInput run(int steps, int stages) {
  cpm::ReportInput input;
  input.title = "demo-001";
  input.summary = "A short run.";
  auto& metrics = input.metrics;
  for (int step = 1; step <= steps; ++step) {
    metrics["step"].push_back(step);
    double total = 0;
    for (int stage = 1; stage <= stages; ++stage) {
      const double loss = 40.0 / (stage + 50.0 * step / steps) * (1 + 0.3 * std::sin(step * 12.9 + stage));
      metrics["loss_stage" + std::to_string(stage)].push_back(loss);
      total += loss;
    }
    metrics["loss"].push_back(total);
    metrics["lr"].push_back(1e-4);
    metrics["grad_norm"].push_back(total * 0.2);
  }
  return input;
}

cpm::ReportInput full_run() {
  cpm::ReportInput input = run(500, 3);
  input.facts = {{"PCK@0.2", "83 %"}, {"Time", "3 min"}};
  input.dead_plateau = {42, 42, 42};
  input.validation = {{100, 0.2}, {500, 0.83}};
  input.validation_by_joint = {{"right_ankle", 0.75}, {"neck", 0.9}, {"left_wrist", kNan}};
  input.overlays = {{"first person", cpm::Image(30, 20, {1, 2, 3})}};
  input.beliefs = {{"Stage 1", cpm::Image(20, 20, {1, 2, 3})}, {"Stage 2", cpm::Image(20, 20, {1, 2, 3})}};
  input.settings_toml = "[model]\nstages = 3\n";
  input.environment = {{"compiler", "some 1.2"}};
  input.plan = "conv1_stage1  cpu.direct";
  return input;
}

}  // namespace

TEST_CASE("a full report shows every part") {
  const std::string html = cpm::report_html(full_run());
  for (const char* part : {"<h1>demo-001</h1>",
                           "A short run.",
                           "83 %",
                           "Loss by stage",
                           "Stage 3",
                           "learning nothing",
                           "Total loss",
                           "Gradient norm",
                           "Learning rate",
                           "Validation accuracy",
                           "right ankle",
                           "75.0 %",
                           "no label",
                           "What it sees",
                           "first person",
                           "Belief, stage by stage",
                           "stages = 3",
                           "compiler",
                           "cpu.direct",
                           "viewport",
                           "prefers-color-scheme:dark",
                           "@media print"}) {
    CAPTURE(part);
    CHECK(has(html, part));
  }
  CHECK(times(html, "src=\"data:image/png;base64,iVBORw0KGgo") == 3);
  CHECK(times(html, "<details>") == 3);
  CHECK(unbalanced(html) == "");
  CHECK_FALSE(has(html, "http://"));
  CHECK_FALSE(has(html, "https://"));
  CHECK_FALSE(has(html, "<script"));
  CHECK(html.find("neck") < html.find("right ankle"));  // best first
  CHECK(html.find("right ankle") < html.find("left wrist"));
}

TEST_CASE("a report without data has no empty parts") {
  cpm::ReportInput input;
  input.title = "nothing";
  const std::string html = cpm::report_html(input);
  CHECK(unbalanced(html) == "");
  CHECK(has(html, "<h1>nothing</h1>"));
  for (const char* part : {"<h2>", "<h3>", "<svg", "<img", "<figure", "<details", "<dl", "class=\"card\""}) {
    CAPTURE(part);
    CHECK_FALSE(has(html, part));
  }
  CHECK(cpm::loss_chart_svg(input).empty());

  input.plan = "rows";
  const std::string with_plan = cpm::report_html(input);
  CHECK(times(with_plan, "<h2>") == 1);
  CHECK(times(with_plan, "<details>") == 1);

  cpm::ReportInput metrics = run(50, 2);
  metrics.metrics.erase("lr");
  const std::string some = cpm::report_html(metrics);
  CHECK(has(some, "Gradient norm"));
  CHECK_FALSE(has(some, "Learning rate"));
  CHECK_FALSE(has(some, "learning nothing"));
  CHECK_FALSE(has(some, "smoothed</text>"));
}

TEST_CASE("nothing from outside is markup") {
  const std::string evil = "<script>alert('x')</script>\"&\x01";
  cpm::ReportInput input = full_run();
  input.title = input.summary = input.settings_toml = input.plan = evil;
  input.facts = {{evil, evil}};
  input.environment = {{evil, evil}};
  input.validation_by_joint = {{evil, 0.5}};
  for (auto* pictures : {&input.overlays, &input.beliefs}) {
    for (auto& picture : *pictures) picture.caption = evil;
  }
  const std::string html = cpm::report_html(input);
  CHECK_FALSE(has(html, "<script"));
  CHECK_FALSE(has(html, "\x01"));
  CHECK(unbalanced(html) == "");
  // Title twice; summary; fact, environment row: two each; joint; settings, plan; captions and their alt: 3
  // x 2.
  CHECK(times(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;\xef\xbf\xbd") ==
        2 + 1 + 2 + 2 + 1 + 2 + 6);
}

TEST_CASE("long runs are thinned, spikes stay") {
  cpm::ReportInput input = run(100000, 6);
  input.metrics["loss_stage2"][54321] = 1e6;
  const std::string svg = cpm::loss_chart_svg(input);
  CHECK(times(svg, "<polyline") == 12);  // pale and smoothed
  CHECK(most_points(svg) <= 800);
  CHECK(most_points(svg) >= 400);
  CHECK(svg.size() < 200 * 1000);
  CHECK(has(svg, ">1M<"));
  const std::string html = cpm::report_html(input);
  CHECK(most_points(html) <= 800);
  CHECK(html.size() < 600 * 1000);
}

TEST_CASE("numbers that are none are left out of the curves, and counted") {
  cpm::ReportInput input = run(300, 2);
  auto& metrics = input.metrics;
  metrics["loss"][7] = metrics["loss_stage1"][7] = kNan;
  metrics["loss"][9] = metrics["loss_stage2"][9] = kInf;
  metrics["loss_stage1"][20] = -1;
  metrics["loss_stage1"][21] = 0;
  metrics["grad_norm"][3] = -kInf;
  metrics["lr"].assign(300, kNan);
  metrics["step"][100] = kNan;
  input.dead_plateau = {kNan, kInf, -1, 0};
  input.validation = {{1, kNan}, {2, 0.5}};
  input.validation_by_joint = {{"neck", kInf}, {"hip", kNan}};
  const std::string html = cpm::report_html(input), drawn = svgs(html);
  CHECK(has(drawn, "<polyline"));
  CHECK_FALSE(has(drawn, "nan"));
  CHECK_FALSE(has(drawn, "inf"));
  CHECK_FALSE(has(html, "nan"));
  CHECK_FALSE(has(html, "Learning rate"));
  CHECK_FALSE(has(html, "learning nothing"));
  CHECK(has(html, "2 of 300 steps"));
  CHECK(unbalanced(html) == "");

  for (auto& [name, values] : metrics) {
    if (name != "step") values.assign(300, kNan);
  }
  input.validation.clear();
  CHECK(svgs(cpm::report_html(input)).empty());
}

TEST_CASE("columns of odd lengths and runs of one step are drawn") {
  cpm::ReportInput input = run(1, 2);
  CHECK(times(cpm::loss_chart_svg(input), "<circle") == 2);
  CHECK_FALSE(has(cpm::loss_chart_svg(input), "nan"));
  input.metrics["loss_stage1"].clear();
  CHECK(times(cpm::loss_chart_svg(input), "<circle") == 1);
  input.metrics["loss_stage1"].assign(50, 3.0);
  input.metrics.erase("step");
  CHECK(has(cpm::loss_chart_svg(input), "<polyline"));
  CHECK(unbalanced(cpm::loss_chart_svg(input)) == "");
}

TEST_CASE("stages that start apart have a plateau each") {
  cpm::ReportInput input = run(50, 2);
  input.dead_plateau = {42, 42.2};
  CHECK(times(cpm::loss_chart_svg(input), "class=\"level") == 1);
  input.dead_plateau = {42, 60};
  const std::string svg = cpm::loss_chart_svg(input);
  CHECK(times(svg, "class=\"level") == 2);
  CHECK(has(svg, "stage 2: learning nothing"));
}

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
