#include "engine/tune/conv_plan.h"

#include <fmt/format.h>

namespace engine {

namespace {

/// The row of that name, or null and the reason why it cannot run the problem.
template <class T>
const kernels::ConvRow<T>* named_row(const std::string& name, const kernels::Exec& exec,
                                     const kernels::ConvProblem& problem, kernels::Direction direction,
                                     std::string* reason) {
  *reason = "this build has no such row";
  for (const auto& row : kernels::conv_rows<T>()) {
    if (name != row.name) continue;
    *reason = row.backend == exec.backend
                  ? row.supports(exec, problem, direction)
                  : fmt::format("it needs device {}", kernels::backend_name(row.backend));
    return reason->empty() ? &row : nullptr;
  }
  return nullptr;
}

}  // namespace

std::string ConvPlan::key(const kernels::ConvProblem& p, kernels::Direction direction) {
  return fmt::format("mb{}_ic{}ih{}iw{}_oc{}oh{}ow{}_kh{}kw{}ph{}pw{}sh{} {}", p.N, p.C, p.H, p.W, p.K, p.P(),
                     p.Q(), p.R, p.S, p.pad_h, p.pad_w, p.stride, kernels::direction_name(direction));
}

template <class T>
const kernels::ConvRow<T>& ConvPlan::choose(const kernels::Exec& exec, const std::string& layer,
                                            const kernels::ConvProblem& problem,
                                            kernels::Direction direction) {
  const std::string name = key(problem, direction);
  const kernels::ConvRow<T>* row = &kernels::choose_conv_row<T>(exec, problem, direction);
  if (const auto kept = kept_.find(name); kept != kept_.end()) {
    std::string reason;
    if (const auto* named = named_row<T>(kept->second, exec, problem, direction, &reason)) {
      row = named;
    } else if (warned_.insert(kept->second + reason).second) {
      warn_(fmt::format("the plan names {}, which cannot run {} {}: {}; {} runs instead", kept->second, layer,
                        kernels::direction_name(direction), reason, row->name));
    }
  }
  if (chosen_.emplace(layer + " " + name, row->name).second) {
    lines_.push_back({layer, problem, direction, row->name});
  }
  return *row;
}

template const kernels::ConvRow<float>& ConvPlan::choose(const kernels::Exec&, const std::string&,
                                                         const kernels::ConvProblem&, kernels::Direction);
template const kernels::ConvRow<double>& ConvPlan::choose(const kernels::Exec&, const std::string&,
                                                          const kernels::ConvProblem&, kernels::Direction);

std::map<std::string, std::string> ConvPlan::chosen() const {
  std::map<std::string, std::string> result;
  for (const PlannedConv& line : lines_) result[key(line.problem, line.direction)] = line.row;
  return result;
}

}  // namespace engine
