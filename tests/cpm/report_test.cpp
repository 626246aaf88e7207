// The report page: what is given is there, what is missing leaves no trace, and nothing from outside gets
// through as markup. Numbers behind the curves are checked where they are computed.
#include "cpm/report/report.h"

#include <cmath>
#include <limits>
#include <set>

#include "cpm/report/chart.h"
#include "cpm/report/html.h"
#include "tests/support/catch.h"

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

const cpm::Image kPicture(30, 20, {1, 2, 3});

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
    metrics["samples"].push_back(4 * step);
    metrics["seconds"].push_back(0.5 * step);
    metrics["data_wait"].push_back(0.1);
  }
  return input;
}

cpm::ReportInput full_run() {
  cpm::ReportInput input = run(500, 3);
  input.facts = {{"PCK@0.2", "83 %"}, {"Time", "3 min"}};
  input.dead_plateau = {42, 42, 42};
  input.validations = {{100, 0.2, {{"right_ankle", 0.1}, {"neck", 0.3}, {"left_wrist", kNan}}},
                       {500, 0.83, {{"right_ankle", 0.75}, {"neck", 0.9}, {"left_wrist", kNan}}}};
  input.mean_pose = 0.4;
  input.outcomes = {{75, 10, 5, 10}, {9, 1, 0, 0}, {}};
  input.pck_curve = {{0, 0}, {0.2, 0.83}, {0.5, 0.9}};
  input.worst = {{"worst person", kPicture}, {"second worst", kPicture}};
  input.typical = {{"typical person", kPicture}};
  input.best = {{"best person", kPicture}};
  input.beliefs = {{"chosen person", kPicture}, {{"right ankle: 0.10 → 0.90", kPicture}}};
  input.gradients = cpm::MedianMap{{"conv1", "conv2"}, {{0.1, kNan}, {1, 2}}, {-1, 1}, {10, 20}};
  input.inputs = {{"first sample, mirrored", kPicture}};
  input.settings_toml = "[model]\nstages = 3\n";
  input.environment = {{"compiler", "some 1.2"}};
  input.plan = {{"conv1_stage1", "n1 c3 24x16", 1.5, {"cpu.direct", "cpu.fft", "-"}}};
  return input;
}

}  // namespace

TEST_CASE("a full report shows every part") {
  const std::string html = cpm::report_html(full_run());
  for (const char* part :
       {"<h1>demo-001</h1>",
        "A short run.",
        "83 %",
        "It learned: it finds 83.0\u00a0% of the joints",
        "finds 40.0\u00a0%. Best is the neck with 90.0\u00a0%, worst the right ankle with 75.0\u00a0%.",
        "still rising: by 63.0 points since step 100",
        "Loss by stage",
        "Stage 3",
        "learning nothing",
        "Total loss",
        "Gradient norm",
        "Learning rate",
        "How good it is",
        "mean pose",
        "distance allowed, % of the torso",
        "right ankle",
        "75.0 %",
        "no label",
        "75 found, 10 nearly, 5 on the other side’s, 10 elsewhere",
        "over the validations",
        "Where it fails",
        "The 2 found worst",
        "worst person",
        "typical person",
        "best person",
        "Belief, stage by stage",
        "chosen person",
        "right ankle: 0.10 → 0.90",
        "Gradients by depth",
        "conv2",
        "What the network is given",
        "first sample, mirrored",
        "8.0 images/s",
        "20.0 % of the time",
        "stages = 3",
        "compiler",
        "n1 c3 24x16",
        "1.500",
        "cpu.fft",
        "viewport",
        "prefers-color-scheme:dark",
        "@media print"}) {
    CAPTURE(part);
    CHECK(has(html, part));
  }
  CHECK(times(html, "<details>") == 3);
  CHECK(unbalanced(html) == "");
  CHECK_FALSE(has(html, "http://"));
  CHECK_FALSE(has(html, "https://"));
  CHECK_FALSE(has(html, "<script"));
}

TEST_CASE("the parts of a report are linked, and the answer comes first") {
  const std::string html = cpm::report_html(full_run());
  CHECK(times(html, "src=\"data:image/jpeg;base64,/9j/") == 7);
  for (const char* id :
       {"accuracy", "people", "belief", "learning", "gradients", "inputs", "speed", "repeat"}) {
    CAPTURE(id);
    CHECK(times(html, std::string("<section id=\"") + id + "\">") == 1);
    CHECK(times(html, std::string("<a href=\"#") + id + "\">") == 1);
  }
  const size_t bars = html.find("class=\"bars\"");  // best first
  CHECK(html.find("neck", bars) < html.find("right ankle", bars));
  CHECK(html.find("right ankle", bars) < html.find("left wrist", bars));
  // The answer stands before the evidence, and what fails before how it was learned.
  CHECK(html.find("It learned") < html.find("How good it is"));
  CHECK(html.find("Where it fails") < html.find("id=\"learning\""));
}

TEST_CASE("a report without data has no empty parts") {
  cpm::ReportInput input;
  input.title = "nothing";
  const std::string html = cpm::report_html(input);
  CHECK(unbalanced(html) == "");
  CHECK(has(html, "<h1>nothing</h1>"));
  for (const char* part :
       {"<h2>", "<h3>", "<svg", "<img", "<figure", "<details", "<dl", "class=\"card\"", "<nav"}) {
    CAPTURE(part);
    CHECK_FALSE(has(html, part));
  }
  CHECK(cpm::loss_chart_svg(input).empty());

  input.plan = {{"conv1", "shape", 1, {"a", "b", "c"}}};
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
  input.title = input.summary = input.state = input.settings_toml = evil;
  input.facts = {{evil, evil}};
  input.environment = {{evil, evil}};
  input.plan = {{evil, evil, 1, {evil, evil, evil}}};
  for (auto& validation : input.validations) validation.by_joint = {{evil, 0.5}};
  input.outcomes.resize(1);
  input.gradients->layers = {evil, evil};
  input.beliefs.person.caption = evil;
  for (auto* pictures : {&input.worst, &input.typical, &input.best, &input.beliefs.joints, &input.inputs}) {
    for (auto& picture : *pictures) picture.caption = evil;
  }
  const std::string html = cpm::report_html(input);
  CHECK_FALSE(has(html, "<script"));
  CHECK_FALSE(has(html, "\x01"));
  CHECK(unbalanced(html) == "");
  // Title twice; summary, state; fact, environment row: two each; plan: five; settings; a joint's bar, its
  // panel and that one's picture; two layers in three sizes; seven captions and their alt.
  CHECK(times(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;\xef\xbf\xbd") ==
        2 + 2 + 4 + 5 + 1 + 3 + 6 + 14);
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
  metrics["seconds"][50] = kNan;
  metrics["data_wait"][60] = kNan;
  input.mean_pose.reset();
  input.validations = {{1, kNan, {{"neck", kInf}, {"hip", kNan}}}, {2, 0.5, {{"neck", kInf}, {"hip", kNan}}}};
  input.pck_curve = {{0, kNan}, {0.1, 0.5}};
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
  input.validations.clear();
  input.pck_curve.clear();
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

TEST_CASE("stages that start apart have a plateau each, those that do not share one") {
  cpm::ReportInput input = run(50, 2);
  input.dead_plateau = {42, 42.2};
  CHECK(times(cpm::loss_chart_svg(input), "class=\"level") == 1);
  input.dead_plateau = {42, 60};
  const std::string two = cpm::loss_chart_svg(input);
  CHECK(times(two, "class=\"level") == 2);
  CHECK(has(two, "stage 2: learning nothing"));
  input.dead_plateau = {60, 42, 42, 42};
  const std::string four = cpm::loss_chart_svg(input);
  CHECK(times(four, "class=\"level") == 2);
  CHECK(has(four, "stage 1: learning nothing"));
  CHECK(has(four, "later stages: learning nothing"));
}

TEST_CASE("the first sentence says whether it learned, how good it is and where it fails") {
  cpm::ReportInput input = run(100, 2);
  input.validations = {{50, 0.5, {}}, {100, 0.505, {}}};
  const auto says = [&](const std::string& part) { return has(cpm::report_html(input), part); };
  CHECK(says("It finds 50.5\u00a0% of the joints. It no longer rises: 50.0\u00a0% at step 50."));
  input.mean_pose = 0.5;
  CHECK(says("It has not learned to look: it finds 50.5\u00a0% of the joints, and the mean pose"));
  input.mean_pose = 0.49;
  CHECK(says("It learned: it finds 50.5\u00a0%"));
  input.validations[0].mean = 0.6;
  CHECK(says("It was better at step 50: 60.0\u00a0%."));
  input.state = "Training goes on.";
  CHECK(says("<p class=\"state\">Training goes on.</p>"));

  input.validations.clear();
  input.metrics["loss_stage1"].assign(100, 9.1);
  input.metrics["loss_stage2"].assign(100, 2.5);
  CHECK_FALSE(says("class=\"verdict\""));  // nothing to measure by
  input.dead_plateau = {10, 10};
  CHECK(says(
      "It learned: the last stage’s loss is 25\u00a0% of that of learning nothing. There was no validation"));
  CHECK(says("Stage 1 is dead: it does no better than learning nothing."));
  input.metrics["loss_stage2"].assign(100, 9.5);
  CHECK(says("It has not learned: "));
  CHECK(says("Stages 1, 2 are dead"));
  // The last twentieth counts, and what is no number does not.
  for (size_t i = 94; i < 100; ++i) input.metrics["loss_stage2"][i] = i == 97 ? kNan : 2;
  CHECK(says("loss is 20\u00a0% of that"));
}
