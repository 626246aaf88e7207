// env.json in words.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

namespace cpm {

/// (what, value): the command, the program, the machine, the data, and what resumed the run. Keys that are
/// not known are shown as they are.
std::vector<std::pair<std::string, std::string>> environment_rows(const nlohmann::ordered_json& environment);

}  // namespace cpm
