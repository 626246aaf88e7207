// How bench_conv shows its rows: an aligned table, Markdown, CSV and JSON; and how good the fixed rule's
// choice among them is.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "engine/tune/conv_bench.h"
#include "kernels/base/memory_peak.h"

namespace tools {

/// What was measured where; 0 where it was not measured.
struct BenchMachine {
  std::string device;  // "cpu", "NVIDIA ...", "vgpu ..."
  int threads = 0;
  std::string isa;  // empty on a device
  double fma_gflops = 0;
  kernels::MemoryPeaks memory;
};

struct BenchRow {
  std::string name;  // of the shape
  kernels::ConvProblem problem;
  kernels::Direction direction = kernels::Direction::Fprop;
  std::string reference;  // the row that ratio refers to
  engine::ConvBenchResult result;
  bool candidate = false;  // the fixed rule may choose it (engine/tune/conv_candidates.h) ...
  bool ruled = false;      // ... and does
};

/// Widths that hold every name to come, so that rows can be printed as they are made.
class BenchTable {
 public:
  BenchTable(std::FILE* stream, bool markdown, const BenchMachine& machine, size_t name_width,
             size_t algo_width);
  void head();
  void row(const BenchRow& row);

 private:
  void line(const std::vector<std::string>& cells);

  std::FILE* stream_;
  bool markdown_;
  BenchMachine machine_;
  std::vector<size_t> widths_;
};

std::string bench_csv(const std::vector<BenchRow>& rows, const BenchMachine& machine);
/// One line: over the problems that had a choice, the time of the rule's row over that of the quickest row
/// that the rule could have chosen, the worst and in sum. Empty where nothing was to be chosen, or nothing
/// timed.
std::string rule_summary(const std::vector<BenchRow>& rows);
/// An array of objects, one a line.
std::string bench_json(const std::vector<BenchRow>& rows, const BenchMachine& machine);

}  // namespace tools
