#include "cpm/report/speed.h"

#include <algorithm>
#include <cmath>

namespace cpm {
namespace {

struct Step {
  double step, images, seconds, wait;  // wait: NaN where it is not known
};

std::vector<double> column(const std::map<std::string, std::vector<double>>& metrics, const std::string& name,
                           size_t size) {
  const auto found = metrics.find(name);
  std::vector<double> values = found == metrics.end() ? std::vector<double>{} : found->second;
  values.resize(size, NAN);
  return values;
}

std::vector<Step> steps_of(const std::map<std::string, std::vector<double>>& metrics) {
  const auto found = metrics.find("step");
  if (found == metrics.end()) return {};
  const std::vector<double>& step = found->second;
  const auto samples = column(metrics, "samples", step.size()),
             clock = column(metrics, "seconds", step.size()),
             wait = column(metrics, "data_wait", step.size());
  std::vector<Step> steps;
  for (size_t i = 0; i < step.size(); ++i) {
    const double images = samples[i] - (i == 0 ? 0 : samples[i - 1]);
    const double seconds = clock[i] - (i == 0 ? 0 : clock[i - 1]);
    if (std::isfinite(step[i]) && images > 0 && seconds > 0 && std::isfinite(images) &&
        std::isfinite(seconds))
      steps.push_back({step[i], images, seconds, wait[i]});
  }
  return steps;
}

double middle_speed(const Step* begin, const Step* end) {
  std::vector<double> speeds;
  for (const Step* step = begin; step != end; ++step) speeds.push_back(step->images / step->seconds);
  const auto middle = speeds.begin() + static_cast<std::ptrdiff_t>(speeds.size() / 2);
  std::nth_element(speeds.begin(), middle, speeds.end());
  return *middle;
}

/// NaN where it is not known of any step.
double waiting(const Step* begin, const Step* end) {
  double wait = 0, seconds = 0;
  for (const Step* step = begin; step != end; ++step) {
    if (!std::isfinite(step->wait)) continue;
    wait += step->wait;
    seconds += step->seconds;
  }
  return seconds > 0 ? std::clamp(wait / seconds, 0.0, 1.0) : NAN;
}

}  // namespace

Speed speed_of(const std::map<std::string, std::vector<double>>& metrics) {
  constexpr size_t kParts = 80;
  const std::vector<Step> steps = steps_of(metrics);
  Speed speed;
  const size_t parts = std::min(kParts, steps.size());
  for (size_t i = 0; i < parts; ++i) {
    const Step* begin = steps.data() + i * steps.size() / parts;
    const Step* end = steps.data() + (i + 1) * steps.size() / parts;
    const double at = (end - 1)->step;
    speed.images_per_second.x.push_back(at);
    speed.images_per_second.y.push_back(middle_speed(begin, end));
    if (const double share = waiting(begin, end); std::isfinite(share)) {
      speed.wait_share.x.push_back(at);
      speed.wait_share.y.push_back(share);
    }
  }
  if (steps.empty()) return speed;
  speed.images = middle_speed(steps.data(), steps.data() + steps.size());
  speed.wait = waiting(steps.data(), steps.data() + steps.size());
  return speed;
}

}  // namespace cpm
