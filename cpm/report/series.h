// What happens to numbers before they are drawn: cleaning, smoothing, thinning, axes and their labels.
#pragma once

#include <string>
#include <vector>

namespace cpm {

struct Curve {
  std::vector<double> x, y;  // same length, finite

  size_t size() const { return x.size(); }
  bool empty() const { return x.empty(); }
};

/// The pairs that can be drawn: both finite, and y above zero where the axis is logarithmic. The longer of
/// both is cut.
Curve drawable(const std::vector<double>& x, const std::vector<double>& y, bool log_y);

/// Centred moving mean over about a fortieth of the points. The window shrinks towards the start, where a
/// loss falls fastest, so that its height there stays; at the end it is cut, so that the last one is steady.
Curve smooth(const Curve& curve);

/// At most `limit` points: the least and the greatest of each bucket of neighbours, in their order, so no
/// spike is lost. A curve that is short enough comes back as it is.
Curve thin(const Curve& curve, size_t limit);

struct ChartAxis {
  bool log = false;
  double low = 0, high = 1;
  std::vector<double> ticks;

  /// 0 at low, 1 at high.
  double at(double value) const;
  std::string label(double tick) const;
};

/// About `count` round ticks within; low .. high are kept as they are.
ChartAxis step_axis(double low, double high, int count);
/// From zero (or below, where values are) to the round tick above the values.
ChartAxis linear_axis(double low, double high, int count);
/// A little more than low .. high, which are above zero.
ChartAxis log_axis(double low, double high, int count);

/// Three digits: 0.0123, 1250, 12.5k, 3·10⁻⁵.
std::string short_number(double value);

/// "10⁻⁵"
std::string power_of_ten(int exponent);

/// Places labels at least `gap` apart within [low, high], each as near to its wish as the others allow (least
/// squares); the order of wishes is kept.
std::vector<double> spread(const std::vector<double>& wishes, double gap, double low, double high);

}  // namespace cpm
