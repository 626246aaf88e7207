// Axes take ticks of 1, 2, 5 times a power of ten (2.5 on linear ones); a logarithmic axis that covers less
// than that many takes a linear axis' ticks, placed logarithmically. Labels are placed by isotonic
// regression: with q_i = wish_i - i gap, "at least a gap apart" becomes "not decreasing", which pooling
// neighbours solves exactly.
#include "cpm/report/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cpm {
namespace {

std::string superscript(int exponent) {
  static const char* const kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "⁻" : "";
  for (const char digit : std::to_string(std::abs(exponent))) text += kDigits[digit - '0'];
  return text;
}

/// `digits` significant ones; in thousands or millions where `thousands` says so, in powers of ten beyond.
std::string number_text(double value, int digits, double largest) {
  const double size = std::abs(value);
  if (size == 0) return "0";
  if (size < 1e-3 || size >= 1e9) {
    const std::string text = fmt::format("{:.{}e}", value, digits - 1);
    const size_t e = text.find('e');
    const double mantissa = std::stod(text.substr(0, e));
    const std::string power = power_of_ten(std::stoi(text.substr(e + 1)));
    return mantissa == 1 ? power : fmt::format("{:g}·{}", mantissa, power);
  }
  if (largest >= 1e6 && size >= 1e5) return fmt::format("{:.{}g}M", value / 1e6, digits);
  if (largest >= 1e4 && size >= 1e3) return fmt::format("{:.{}g}k", value / 1e3, digits);
  return fmt::format("{:.{}g}", value, std::max(digits, size >= 1000 ? 4 : 1));
}

double nice_step(double range, int count) {
  const double rough = range / std::max(1, count);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * power >= rough * 0.999) return factor * power;
  }
  return 10 * power;
}

std::vector<double> multiples(double step, double low, double high) {
  std::vector<double> ticks;
  const double slack = 1e-6 * step;
  for (double k = std::ceil((low - slack) / step); k * step <= high + slack; ++k)
    ticks.push_back(k * step + 0.0);  // + 0.0: never "-0"
  return ticks;
}

/// The mantissas' powers of ten within, every `stride`-th decade.
std::vector<double> decades(double low, double high, const std::vector<double>& mantissas, int stride) {
  std::vector<double> ticks;
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  for (int e = first; e <= last; ++e) {
    for (const double mantissa : mantissas) {
      const double tick = mantissa * std::pow(10.0, e);
      if (e % stride == 0 && tick >= low && tick <= high) ticks.push_back(tick);
    }
  }
  return ticks;
}

}  // namespace

Curve drawable(const std::vector<double>& x, const std::vector<double>& y, bool log_y) {
  Curve curve;
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i]) || (log_y && y[i] <= 0)) continue;
    curve.x.push_back(x[i]);
    curve.y.push_back(y[i]);
  }
  return curve;
}

Curve smooth(const Curve& curve) {
  const size_t count = curve.size(), half = std::max<size_t>(1, count / 80);
  std::vector<double> sum(count + 1, 0.0);
  for (size_t i = 0; i < count; ++i) sum[i + 1] = sum[i] + curve.y[i];
  Curve result = curve;
  for (size_t i = 0; i < count; ++i) {
    const size_t reach = std::min(half, i);
    const size_t end = std::min(count, i + std::min(half, std::max<size_t>(reach, 4)) + 1);
    result.y[i] = (sum[end] - sum[i - reach]) / static_cast<double>(end - (i - reach));
  }
  return result;
}

Curve thin(const Curve& curve, size_t limit) {
  if (curve.size() <= limit) return curve;
  const size_t buckets = std::max<size_t>(1, limit / 2);
  Curve result;
  for (size_t bucket = 0; bucket < buckets; ++bucket) {
    const auto begin = curve.y.begin() + static_cast<std::ptrdiff_t>(bucket * curve.size() / buckets);
    const auto end = curve.y.begin() + static_cast<std::ptrdiff_t>((bucket + 1) * curve.size() / buckets);
    const auto [least, greatest] = std::minmax_element(begin, end);
    for (const auto point : {std::min(least, greatest), std::max(least, greatest)}) {
      result.x.push_back(curve.x[static_cast<size_t>(point - curve.y.begin())]);
      result.y.push_back(*point);
    }
  }
  return result;
}

double ChartAxis::at(double value) const {
  if (log) return std::log(value / low) / std::log(high / low);
  return (value - low) / (high - low);
}

std::string ChartAxis::label(double tick) const {
  return number_text(tick, 4, std::max(std::abs(low), std::abs(high)));
}

ChartAxis step_axis(double low, double high, int count) {
  if (!(high > low)) return {false, low - 0.5, low + 0.5, {low}};
  ChartAxis axis{false, low, high, multiples(std::max(1.0, nice_step(high - low, count)), low, high)};
  if (axis.ticks.empty()) axis.ticks = {high};  // so little room that no round one lies within
  return axis;
}

ChartAxis linear_axis(double low, double high, int count) {
  low = std::min(low, 0.0);
  if (!(high > low)) high = low + 1;
  const double step = nice_step(high - low, count);
  low = std::floor(low / step + 1e-6) * step;
  high = std::ceil(high / step - 1e-6) * step;
  return {false, low, high, multiples(step, low, high)};
}

ChartAxis log_axis(double low, double high, int count) {
  const double margin = std::max(std::pow(high / low, 0.05), 1.05);
  low /= margin;
  high *= margin;
  const double span = std::log10(high / low);
  const auto enough = static_cast<size_t>(std::max(3, count + 2));
  ChartAxis axis{true, low, high, decades(low, high, {1, 2, 5}, 1)};
  if (axis.ticks.size() < 3) axis.ticks = multiples(nice_step(high - low, count), low, high);
  if (axis.ticks.size() > enough) axis.ticks = decades(low, high, {1, 3}, 1);
  if (axis.ticks.size() > enough) axis.ticks = decades(low, high, {1}, 1);
  if (axis.ticks.size() > enough) {
    axis.ticks = decades(low, high, {1}, static_cast<int>(std::ceil(span / std::max(2, count))));
  }
  // A linear axis may start at zero, which has no logarithm.
  std::erase_if(axis.ticks, [](double tick) { return tick <= 0; });
  return axis;
}

std::string short_number(double value) {
  const double size = std::abs(value);
  if (size < 1e-3 || size >= 1000) return number_text(value, 3, size);
  // Zeros at the end stay: 1.90 is as long as its neighbours.
  return fmt::format("{:.{}f}", value, 2 - static_cast<int>(std::floor(std::log10(size))));
}

std::string power_of_ten(int exponent) {
  return "10" + superscript(exponent);
}

std::vector<double> spread(const std::vector<double>& wishes, double gap, double low, double high) {
  const size_t count = wishes.size();
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return wishes[a] < wishes[b]; });

  struct Pool {
    double sum;
    size_t size;
    double mean() const { return sum / static_cast<double>(size); }
  };
  std::vector<Pool> pools;
  for (size_t rank = 0; rank < count; ++rank) {
    pools.push_back({wishes[order[rank]] - gap * static_cast<double>(rank), 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() >= pools.back().mean()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back().sum += last.sum;
      pools.back().size += last.size;
    }
  }
  std::vector<double> placed(count);
  const double end = std::max(low, high - gap * (static_cast<double>(count) - 1));
  size_t rank = 0;
  for (const Pool& pool : pools) {
    for (size_t k = 0; k < pool.size; ++k, ++rank) {
      placed[order[rank]] = std::clamp(pool.mean(), low, end) + gap * static_cast<double>(rank);
    }
  }
  return placed;
}

}  // namespace cpm
