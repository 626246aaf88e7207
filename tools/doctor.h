// What cpm-doctor looks at: a list of checks, each of which gives lines with a verdict.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace tools {

enum class Verdict { Pass, Warn, Fail };

/// "PASS", "WARN", "FAIL".
const char* verdict_name(Verdict verdict);

struct DoctorLine {
  Verdict verdict = Verdict::Pass;
  std::string check;   // "processor", "cuda:0", "step on cpu"
  std::string detail;  // what was found
  std::string hint;    // what to do about it; empty for PASS
};

struct DoctorOptions {
  std::string runs = "runs";  // where run directories would be made
  int64_t threads = 0;        // 0: all processors
};

/// Every check, in the order of the report. An error inside one is a FAIL line of its own.
std::vector<DoctorLine> examine(const DoctorOptions& options);

}  // namespace tools
