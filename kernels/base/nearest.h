// The nearest name to a mistyped one, for error hints.
#pragma once

#include <string>
#include <vector>

namespace kernels {

/// Damerau-Levenshtein distance (adjacent swaps count one).
int edit_distance(const std::string& a, const std::string& b);

/// The candidate nearest to `name`, or "" when none is within half of the longer length.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);

/// "did you mean X?", X as nearest_name() says; "" where there is none.
std::string nearest_hint(const std::string& name, const std::vector<std::string>& candidates);

}  // namespace kernels
