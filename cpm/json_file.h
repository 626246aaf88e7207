// JSON files of a run directory.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace cpm {

/// What `file` holds, at most 16 MiB; BadData with `hint` where that is no JSON object.
nlohmann::ordered_json read_json_object(const std::filesystem::path& file, const std::string& hint);

}  // namespace cpm
