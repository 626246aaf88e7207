// Words of the `--data` argument, for completion; dataset.h parses it.
#pragma once

#include <string>
#include <vector>

namespace cpm {

/// What a SPEC may begin with: "synthetic", "lsp", ...; without `raw` those that hold people.
std::vector<std::string> data_kinds(bool raw = true);

}  // namespace cpm
