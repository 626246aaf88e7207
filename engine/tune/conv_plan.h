// Which convolution row runs for which problem and direction. By default the fixed rule of the kernel list
// decides; a plan that was kept (in a run directory) or tuned (conv_tuner.h) is followed where it names a row
// that can run here. Where it cannot, the rule decides, and a warning says so.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kernels/conv2d/conv2d.h"

namespace engine {

/// A line of the plan as the run header prints it.
struct PlannedConv {
  std::string layer;
  kernels::ConvProblem problem;
  kernels::Direction direction = kernels::Direction::Fprop;
  std::string row;
};

class ConvPlan {
 public:
  /// The row for a problem: the kept one, else the rule's. The first use of a key is recorded in lines().
  template <class T>
  const kernels::ConvRow<T>& choose(const kernels::Exec& exec, const std::string& layer,
                                    const kernels::ConvProblem& problem, kernels::Direction direction);

  /// Key -> row name, as kept on disk; keys are key() below. `warn` is told, once a row and reason, of names
  /// that cannot be followed.
  void follow(std::map<std::string, std::string> kept, std::function<void(const std::string&)> warn) {
    kept_ = std::move(kept);
    warn_ = std::move(warn);
  }
  std::map<std::string, std::string> chosen() const;
  const std::vector<PlannedConv>& lines() const { return lines_; }

  /// benchdnn's shape string and the direction, e.g. "mb1_ic3ih368_oc128oh368_kh9ph4 fprop".
  static std::string key(const kernels::ConvProblem& problem, kernels::Direction direction);

 private:
  std::map<std::string, std::string> kept_, chosen_;
  std::function<void(const std::string&)> warn_;
  std::set<std::string> warned_;
  std::vector<PlannedConv> lines_;
};

}  // namespace engine
