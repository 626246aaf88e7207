// The answer in words and figures. A stage is called dead where its last losses are within a tenth of the
// loss of learning nothing; a score is called a change from one of a point (one in a hundred joints) on.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cpm/report/report_parts.h"
#include "cpm/report/speed.h"

namespace cpm {
namespace {

constexpr double kDead = 0.9, kPoint = 0.01;
constexpr const char* kPercent = "\u00a0%";  // stays with its number

std::string percent(double share) {
  return fmt::format("{:.1f}{}", 100 * share, kPercent);
}

std::string score_sentence(const ReportInput& input) {
  const double mean = input.validations.back().mean;
  if (!input.mean_pose) return fmt::format("It finds {} of the joints.", percent(mean));
  const std::string pose =
      fmt::format("the mean pose, which needs no picture, finds {}", percent(*input.mean_pose));
  if (mean < *input.mean_pose + kPoint)
    return fmt::format("It has not learned to look: it finds {} of the joints, and {}.", percent(mean), pose);
  return fmt::format("It learned: it finds {} of the joints; {}.", percent(mean), pose);
}

std::string ends_sentence(const Validation& last) {
  const std::pair<std::string, double>*best = nullptr, *worst = nullptr;
  for (const auto& joint : last.by_joint) {
    if (!std::isfinite(joint.second)) continue;
    if (best == nullptr || joint.second > best->second) best = &joint;
    if (worst == nullptr || joint.second < worst->second) worst = &joint;
  }
  if (best == nullptr || best->second == worst->second) return "";
  return fmt::format(" Best is the {} with {}, worst the {} with {}.", joint_name(best->first),
                     percent(best->second), joint_name(worst->first), percent(worst->second));
}

std::string trend_sentence(std::vector<Validation> validations) {
  std::erase_if(validations, [](const Validation& validation) { return !std::isfinite(validation.mean); });
  if (validations.size() < 2) return "";
  const Validation &last = validations.back(), &before = validations[validations.size() - 2];
  const Validation& best =
      *std::max_element(validations.begin(), validations.end(),
                        [](const Validation& a, const Validation& b) { return a.mean < b.mean; });
  if (best.mean >= last.mean + kPoint)
    return fmt::format(" It was better at step {}: {}.", best.step, percent(best.mean));
  if (last.mean >= before.mean + kPoint) {
    return fmt::format(" It was still rising: by {:.1f} points since step {}.",
                       100 * (last.mean - before.mean), before.step);
  }
  return fmt::format(" It no longer rises: {} at step {}.", percent(before.mean), before.step);
}

std::string loss_sentence(const ReportInput& input) {
  const size_t stages = stage_count(input);
  const double share = stages > 0 ? loss_share(input, stages - 1) : NAN;
  if (!std::isfinite(share)) return "";
  const std::string what =
      fmt::format("the last stage’s loss is {:.0f}{} of that of learning nothing.", 100 * share, kPercent);
  return (share < kDead ? "It learned: " : "It has not learned: ") + what +
         " There was no validation, so nothing here says how good its answers are.";
}

std::string dead_sentence(const ReportInput& input) {
  std::string dead;
  int count = 0;
  for (size_t stage = 0; stage < stage_count(input); ++stage) {
    if (!(loss_share(input, stage) >= kDead)) continue;
    dead += fmt::format("{}{}", count == 0 ? "" : ", ", stage + 1);
    ++count;
  }
  if (count == 0) return "";
  return count == 1 ? fmt::format(" Stage {} is dead: it does no better than learning nothing.", dead)
                    : fmt::format(" Stages {} are dead: they do no better than learning nothing.", dead);
}

}  // namespace

size_t stage_count(const ReportInput& input) {
  size_t stages = 0;
  while (input.metrics.count(fmt::format("loss_stage{}", stages + 1)) > 0) ++stages;
  return stages;
}

double loss_share(const ReportInput& input, size_t stage) {
  constexpr size_t kMost = 500;
  const auto found = input.metrics.find(fmt::format("loss_stage{}", stage + 1));
  if (found == input.metrics.end() || stage >= input.dead_plateau.size()) return NAN;
  std::vector<double> losses;
  for (const double loss : found->second) {
    if (std::isfinite(loss)) losses.push_back(loss);
  }
  const double plateau = input.dead_plateau[stage];
  if (losses.empty() || !std::isfinite(plateau) || !(plateau > 0)) return NAN;
  const size_t count = std::clamp<size_t>(losses.size() / 20, 1, kMost);
  const double sum = std::accumulate(losses.end() - static_cast<std::ptrdiff_t>(count), losses.end(), 0.0);
  return sum / static_cast<double>(count) / plateau;
}

std::string verdict(const ReportInput& input) {
  const bool validated = !input.validations.empty() && std::isfinite(input.validations.back().mean);
  std::string text = validated ? score_sentence(input) + ends_sentence(input.validations.back()) +
                                     trend_sentence(input.validations)
                               : loss_sentence(input);
  return text + dead_sentence(input);
}

std::vector<std::pair<std::string, std::string>> report_facts(const ReportInput& input) {
  std::vector<std::pair<std::string, std::string>> facts;
  if (!input.validations.empty() && std::isfinite(input.validations.back().mean))
    facts.emplace_back("Joints found, PCK@0.2", percent(input.validations.back().mean));
  if (input.mean_pose) facts.emplace_back("By the mean pose", percent(*input.mean_pose));
  const size_t stages = stage_count(input);
  if (const double share = stages > 0 ? loss_share(input, stages - 1) : NAN; std::isfinite(share))
    facts.emplace_back("Last stage’s loss, of learning nothing’s", fmt::format("{:.0f} %", 100 * share));
  facts.insert(facts.end(), input.facts.begin(), input.facts.end());
  const Speed speed = speed_of(input.metrics);
  if (speed.images > 0)
    facts.emplace_back("Speed", fmt::format("{:.{}f} images/s", speed.images, speed.images < 100 ? 1 : 0));
  if (!speed.wait_share.empty())
    facts.emplace_back("Waiting for data", fmt::format("{:.1f} % of the time", 100 * speed.wait));
  return facts;
}

}  // namespace cpm
