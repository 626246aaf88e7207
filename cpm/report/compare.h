// Runs beside each other: validation PCK against steps, a line a run, and against the number of stages. As a
// page, and as pictures of their own.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cpm {

struct ComparedRun {
  std::string label;
  int64_t stages = 0;
  std::vector<std::pair<int64_t, double>> validation;  // (step, mean PCK@0.2 in [0, 1]), at least one
};

struct Comparison {
  std::vector<ComparedRun> runs;       // at most kMostLines: one line each
  std::vector<ComparedRun> by_stages;  // a point each: its last validation; may be empty
};

inline constexpr int kMostLines = 6;  // colours that stay apart

/// The page; everything from outside is escaped.
std::string comparison_html(const Comparison& comparison);
/// SVG files, which follow the reader's theme; empty where there is nothing to draw.
std::string steps_chart_file(const Comparison& comparison);
std::string stages_chart_file(const Comparison& comparison);

}  // namespace cpm
