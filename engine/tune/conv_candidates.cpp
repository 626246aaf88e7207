#include "engine/tune/conv_candidates.h"

#include <cmath>
#include <string_view>

namespace engine {

bool is_reference(const kernels::ConvRow<float>& row) {
  return std::string_view(row.name).ends_with(".reference");
}

std::vector<const kernels::ConvRow<float>*> conv_candidates(const kernels::Exec& exec,
                                                            const kernels::ConvProblem& problem,
                                                            kernels::Direction direction, bool by_name) {
  std::vector<const kernels::ConvRow<float>*> rows;
  for (const kernels::ConvRow<float>& row : kernels::conv_rows<float>()) {
    if (row.backend != exec.backend || is_reference(row) || (row.by_name && !by_name)) continue;
    if (!row.supports(exec, problem, direction).empty()) continue;
    const bool declines = row.cost != nullptr && std::isinf(row.cost(exec, problem, direction));
    if (!declines) rows.push_back(&row);
  }
  return rows;
}

}  // namespace engine
