// Counters pooled and read: quantiles against sorted samples, shares against counting, choices against the
// paper.
#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>
#include <numeric>
#include <random>

#include "cpm/hist/choice.h"
#include "cpm/hist/counts.h"
#include "cpm/hist/median_map.h"
#include "cpm/stages.h"
#include "kernels/reduce/bins.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

namespace {

using cpm::GradTensor;
using cpm::HistCounts;
using cpm::Special;
using cpm::StepSpan;

std::vector<float> samples(uint32_t seed, int count, double center, double spread) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    // A sum of twelve is near enough to normal, and the same with every library.
    double normal = -6;
    for (int i = 0; i < 12; ++i) normal += static_cast<double>(random()) / 4294967296.0;
    value = static_cast<float>(std::exp2(center + spread * normal)) * (random() % 2 == 0 ? 1.0F : -1.0F);
    if (random() % 20 == 0) value = 0;
  }
  return values;
}

/// Binned by the kernels' own rule.
HistCounts binned(const std::vector<float>& values) {
  kernels::LogHistogram histogram;
  HistCounts counts;
  for (const float value : values) {
    if (value == 0) {
      ++counts.special[0];
    } else if (std::isnan(value)) {
      ++counts.special[4];
    } else if (std::isinf(value)) {
      ++counts.special[5];
    } else if (!std::isnormal(value)) {
      ++counts.special[1];
    } else {
      ++*kernels::counter_of<float>(histogram, std::bit_cast<uint32_t>(value));
    }
  }
  std::reverse_copy(histogram.negative, histogram.negative + cpm::kGradBins, counts.counts.begin());
  std::copy_n(histogram.positive, cpm::kGradBins, counts.counts.begin() + cpm::kGradBins);
  counts.special[2] = histogram.underflow;
  counts.special[3] = histogram.overflow;
  return counts;
}

std::vector<GradTensor> network(int stages) {
  std::vector<GradTensor> tensors;
  for (const cpm::Layer& layer : cpm::network_layers({.stages = stages})) {
    if (layer.kind != cpm::LayerKind::Conv) continue;
    const int depth = static_cast<int>(tensors.size()) + 1;
    tensors.push_back(
        {.name = layer.name + ".weight", .depth = depth, .stage = layer.stage, .layer = layer.name});
  }
  return tensors;
}

std::vector<std::vector<std::string>> names(const std::vector<GradTensor>& tensors) {
  std::vector<std::vector<std::string>> result;
  for (const auto& block : cpm::grid_blocks(tensors)) {
    result.emplace_back();
    for (const size_t i : block) result.back().push_back(tensors[i].layer);
  }
  return result;
}

}  // namespace

TEST_CASE("hist: counters of parts sum to the counters of the whole") {
  const std::vector<float> a = samples(1, 3001, -12, 4), b = samples(2, 500, -70, 8);
  std::vector<float> all = a;
  all.insert(all.end(), b.begin(), b.end());
  all.insert(all.end(), {NAN, INFINITY, -INFINITY, 1e-40F, 3e38F});
  HistCounts sum = binned(a);
  sum += binned(b);
  sum += binned({NAN, INFINITY, -INFINITY, 1e-40F, 3e38F});
  const HistCounts whole = binned(all);
  CHECK(sum.counts == whole.counts);
  CHECK(sum.special == whole.special);
  CHECK(sum.of(Special::Underflow) > 0);
  CHECK(sum.of(Special::Overflow) == 1);
  CHECK(sum.of(Special::Nan) == 1);
  CHECK(sum.of(Special::Inf) == 2);
  CHECK(sum.of(Special::Subnormal) == 1);
  CHECK(sum.elements() == all.size());
}

TEST_CASE("hist: a quantile lies in the bin of the sample of its rank") {
  for (const double center : {-12.0, -58.0, 18.0}) {
    const std::vector<float> values = samples(3, 5000, center, 3);
    const HistCounts counts = binned(values);
    std::vector<double> sizes;
    for (const float value : values) {
      if (value != 0) sizes.push_back(std::fabs(value));
    }
    std::sort(sizes.begin(), sizes.end());
    for (const double p : {0.001, 0.05, 0.25, 0.5, 0.75, 0.95, 0.999, 1.0}) {
      CAPTURE(center, p);
      const double rank = p * static_cast<double>(sizes.size());
      const double sample =
          sizes[std::min(sizes.size() - 1, static_cast<size_t>(std::max(0.0, std::ceil(rank) - 1)))];
      const double quantile = cpm::magnitude_quantile(counts, p);
      const double lowest = kernels::log_bin_edge(0), highest = kernels::log_bin_edge(cpm::kGradBins);
      if (sample < lowest || sample >= highest) {
        CHECK(quantile == (sample < lowest ? lowest : highest));
        continue;
      }
      int bin = 0;
      while (kernels::log_bin_edge(bin + 1) <= sample) ++bin;
      const double low = kernels::log_bin_edge(bin), high = kernels::log_bin_edge(bin + 1);
      CHECK(quantile >= low * (1 - 1e-12));
      CHECK(quantile <= high * (1 + 1e-12));
      // The interpolation: the rank within the bin's samples, on the log axis.
      const auto first = std::lower_bound(sizes.begin(), sizes.end(), low),
                 last = std::lower_bound(first, sizes.end(), high);
      const double part =
          (rank - static_cast<double>(first - sizes.begin())) / static_cast<double>(last - first);
      CHECK(std::abs(std::log(quantile) - (std::log(low) + part * std::log(high / low))) < 1e-9);
    }
  }
}

TEST_CASE("hist: quantiles of nothing, of one, of zeros") {
  CHECK(std::isnan(cpm::magnitude_quantile({}, 0.5)));
  CHECK(std::isnan(cpm::magnitude_quantile(binned({0, 0, NAN, INFINITY}), 0.5)));
  const HistCounts one = binned({0, 0, -1});
  CHECK(cpm::magnitude_quantile(one, 1) == 1.5);
  CHECK(std::abs(cpm::magnitude_quantile(one, 0.5) - std::sqrt(1.5)) < 1e-12);
  CHECK(cpm::zero_share(one) == 2.0 / 3);
  CHECK(cpm::zero_share({}) == 0);
  CHECK(cpm::magnitude_quantile(binned({1e-41F}), 0.5) == kernels::log_bin_edge(0));
  CHECK(cpm::magnitude_quantile(binned({1e30F}), 0.5) == kernels::log_bin_edge(cpm::kGradBins));
}

TEST_CASE("hist: shares on the signed axis keep the mass within the range") {
  const std::vector<float> values = samples(4, 20000, -8, 2);
  const HistCounts counts = binned(values);
  const kernels::LinearBins bins{40, 0.0078125};  // the range is a bin's edge: no bin is cut by it
  const std::vector<double> shares = cpm::signed_shares(counts, bins);
  const auto inside =
      std::count_if(values.begin(), values.end(), [](float v) { return std::fabs(v) < 0.0078125F; });
  CHECK(std::abs(std::accumulate(shares.begin(), shares.end(), 0.0) - static_cast<double>(inside) / 20000.0) <
        1e-12);
  // Against counting: what spreading a bin of half an octave evenly gets wrong is small beside the share.
  for (int b = 0; b < bins.bins; ++b) {
    const double low = -bins.range + 2 * bins.range / bins.bins * b, high = low + 2 * bins.range / bins.bins;
    const auto counted =
        std::count_if(values.begin(), values.end(), [&](float v) { return v != 0 && v >= low && v < high; });
    CAPTURE(b);
    // Zeros lie on the border of the two middle bins, half in each.
    const double zeros = b == 19 || b == 20 ? 0.5 * cpm::zero_share(counts) : 0;
    const double expected = static_cast<double>(counted) / 20000.0 + zeros;
    CHECK(std::abs(shares[b] - expected) < 0.15 * expected + 0.002);
  }
  const std::vector<double> zeros = cpm::signed_shares(binned({0, 0, 0, 1e-41F}), {41, 1e-3});
  CHECK(std::abs(zeros[20] - 1) < 1e-12);
  HistCounts recorded = binned({0, 1, 2, 3});
  recorded.linear = {1, 0, 2, 1, 0};
  CHECK(cpm::recorded_signed_shares(recorded) == std::vector<double>{0, 0.5, 0.25});
}

TEST_CASE("hist: the layers of the paper's grid") {
  using Names = std::vector<std::vector<std::string>>;
  // On the way through the belief maps: the first, the third and the last layer of each of three stages.
  CHECK(names(network(3)) == Names{{"conv1_stage1", "conv3_stage1", "conv7_stage1"},
                                   {"Mconv1_stage2", "Mconv3_stage2", "Mconv5_stage2"},
                                   {"Mconv1_stage3", "Mconv3_stage3", "Mconv5_stage3"}});
  CHECK(names(network(6))[1] == std::vector<std::string>{"Mconv1_stage4", "Mconv3_stage4", "Mconv5_stage4"});
  CHECK(names(network(6))[2][2] == "Mconv5_stage6");
  CHECK(names(network(1)) == Names{{"conv1_stage1", "conv3_stage1", "conv7_stage1"}});
  CHECK(cpm::belief_path(3).size() == 7 + 5 + 5);
  CHECK(cpm::belief_path(2)[7] == "Mconv1_stage2");
  // Tensors beside that way, where no other is asked for.
  std::vector<GradTensor> trunk;
  for (const GradTensor& tensor : network(3)) {
    if (tensor.layer.rfind("conv", 0) == 0 && tensor.stage == 2) trunk.push_back(tensor);
  }
  CHECK(names(trunk) == Names{{"conv1_stage2", "conv3_stage2", "conv4_stage2"}});
}

TEST_CASE("hist: epochs hold each step once, whole or fractional") {
  for (const double steps : {1.0, 10.0, 7.5, 10.0 / 3, 1400.0 / 16, 0.4}) {
    for (const bool accumulated : {false, true}) {
      CAPTURE(steps, accumulated);
      const cpm::Epochs epochs{steps, accumulated};
      for (int64_t step = 1; step < 200; ++step) {
        const int64_t epoch = cpm::epoch_of(step, epochs);
        if (epoch < 1) continue;
        CHECK(cpm::epoch_steps(epoch, epochs).holds(step));
        CHECK(!cpm::epoch_steps(epoch + 1, epochs).holds(step));
      }
    }
  }
  CHECK(cpm::epoch_steps(3, {10, false}) == StepSpan{21, 30});
  // 7.5 steps: the first epoch ends within step 8, which begins in it; its accumulated record is of step 8.
  CHECK(cpm::epoch_of(8, {7.5, false}) == 2);
  CHECK(cpm::epoch_of(8, {7.5, true}) == 1);
  CHECK(cpm::epoch_of(15, {7.5, true}) == 2);
  CHECK(cpm::epoch_of(7, {7.5, true}) == 0);
}

TEST_CASE("hist: spans, ranges and axes") {
  CHECK(cpm::cut({5, 14}, 3) == std::vector<StepSpan>{{5, 7}, {8, 10}, {11, 14}});
  CHECK(cpm::cut({5, 6}, 3) == std::vector<StepSpan>{{5, 5}, {6, 6}});
  CHECK(cpm::round_up(0.0013) == 0.002);
  CHECK(cpm::round_up(5e-4) == 5e-4);
  CHECK(cpm::round_up(6) == 10);
  CHECK(cpm::round_up(NAN) == 1);
  CHECK(cpm::log_range({3e-5, 0.02, NAN, 0}, 12) == cpm::LogRange{-5, -1});
  CHECK(cpm::log_range({1e-30, 0.02}, 12) == cpm::LogRange{-13, -1});
  CHECK(cpm::log_range({0.1}, 12) == cpm::LogRange{-1, 0});
  CHECK(!std::signbit(cpm::log_range({0.3}, 12).high));
  CHECK(cpm::log_range({}, 12) == cpm::LogRange{-1, 0});
}

TEST_CASE("medians of weights are read off quantiles.csv by depth, damaged lines are left out") {
  const tests::TempFolder folder;
  const auto write = [&](const std::string& text) { std::ofstream(folder / "quantiles.csv") << text; };
  CHECK_FALSE(cpm::read_median_map(folder.path()));
  const std::string header = "step,tensor,depth,stage,q05,q25,q50,q75,q95\n";
  write(header);
  CHECK_FALSE(cpm::read_median_map(folder.path()));
  std::string text = header;
  for (int step = 10; step <= 40; step += 10) {
    const std::string at = std::to_string(step);
    text += at + ",conv2.weight,2,1,0,0," + std::to_string(step) + ",0,0\n";
    text += at + ",conv1.weight,1,1,0,0," + (step == 20 ? "nan" : "0.5") + ",0,0\n";
    text += at + ",conv1.bias,1,1,0,0,77,0,0\n";
  }
  write(text + "50,conv1.weight,1,1,0,0\nx,conv1.weight,1,1,0,0,9,0,0\n60,conv1.weight,1,1,0,0,9,0,0");
  const auto map = cpm::read_median_map(folder.path());
  REQUIRE(map);
  CHECK(map->layers == std::vector<std::string>{"conv1", "conv2"});
  CHECK(map->steps == StepSpan{10, 40});
  CHECK(map->medians[1] == std::vector<double>{10, 20, 30, 40});
  CHECK(map->medians[0][0] == 0.5);
  CHECK(std::isnan(map->medians[0][1]));
  CHECK(map->range == cpm::LogRange{-1, 2});

  // Of many records a column has the middle one's median.
  text = header;
  for (int step = 1; step <= 360; ++step)
    text += std::to_string(step) + ",a.weight,1,1,0,0," + std::to_string(step) + ",0,0\n";
  write(text);
  const auto many = cpm::read_median_map(folder.path());
  REQUIRE(many);
  REQUIRE(many->medians[0].size() == 120);
  CHECK(many->medians[0][0] == 2);
  CHECK(many->medians[0][119] == 359);
}

TEST_CASE("the map of medians has a name and a row a layer, and no NaN") {
  const cpm::MedianMap map{{"conv1", "conv2"}, {{0.1, NAN}, {1, 0}}, {-1, 1}, {10, 20}};
  cpm::SvgCanvas canvas(680, cpm::median_map_height(map), "medians", cpm::SvgColors::ByTheme);
  cpm::draw_median_map(map, &canvas);
  const std::string svg = canvas.svg();
  for (const char* part : {">conv1<", ">conv2<", ">step<", ">median |g|<", ">10⁻¹<"}) {
    CAPTURE(part);
    CHECK(svg.find(part) != std::string::npos);
  }
  CHECK(svg.find("nan") == std::string::npos);
}
