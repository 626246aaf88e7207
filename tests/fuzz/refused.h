// What every fuzz target asks of a parser: it takes the input or refuses it with an error a user can read.
// Anything else (another exception, an Internal error, a sanitizer's report) ends the program, which
// libFuzzer counts as a finding.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "kernels/base/error.h"

namespace fuzz {

inline void require(bool ok, const char* what, const std::string& got) {
  if (ok) return;
  std::fprintf(stderr, "fuzz: %s: %s\n", what, got.c_str());
  std::abort();
}

/// Runs `parse`; true where it refused the input.
template <class Parse>
bool refused(const Parse& parse) {
  try {
    parse();
  } catch (const kernels::Error& error) {
    const std::string line = error.what();
    require(error.code() == kernels::ExitCode::BadData || error.code() == kernels::ExitCode::Usage,
            "an exit code that blames the program", line);
    require(line == kernels::printable(line, line.size()), "a line that no terminal should see", line);
    require(!error.info().what.empty() && line.size() <= 392, "a line that says nothing or too much", line);
    return true;
  }
  return false;
}

}  // namespace fuzz
