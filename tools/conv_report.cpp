#include "tools/conv_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/tune/conv_shape.h"
#include "tools/json_text.h"

namespace tools {

namespace {

using engine::ConvBenchResult;

/// Billions a second, where there is a time.
std::optional<double> rate(double amount, const ConvBenchResult& result) {
  if (!result.stats) return std::nullopt;
  return amount / result.stats->median * 1e-9;
}

std::optional<double> percent(std::optional<double> part, double whole) {
  if (!part || whole <= 0) return std::nullopt;
  return 100 * *part / whole;
}

/// The shortest time that the measured peaks allow, in seconds, and which of them sets it.
struct Roof {
  double seconds;
  const char* bound;
};

std::optional<Roof> roof_of(const ConvBenchResult& result, const BenchMachine& machine) {
  if (machine.fma_gflops <= 0 || machine.memory.triad <= 0) return std::nullopt;
  const double arithmetic = result.executed_flops / machine.fma_gflops * 1e-9;
  const double memory = result.bytes / machine.memory.triad * 1e-9;
  if (arithmetic >= memory) return Roof{arithmetic, "arithmetic"};
  return Roof{memory, "memory"};
}

std::optional<double> roof_seconds(const ConvBenchResult& result, const BenchMachine& machine) {
  const auto roof = roof_of(result, machine);
  return roof ? std::optional(roof->seconds) : std::nullopt;
}

std::optional<double> percent_of_roof(const ConvBenchResult& result, const BenchMachine& machine) {
  const auto roof = roof_of(result, machine);
  if (!roof || !result.stats) return std::nullopt;
  return 100 * roof->seconds / result.stats->median;
}

std::string number(std::optional<double> value, int digits, double scale = 1) {
  return value ? fmt::format("{:.{}f}", *value * scale, digits) : "-";
}

/// Milliseconds with four digits that count.
std::string milliseconds(std::optional<double> seconds) {
  if (!seconds) return "-";
  const double ms = *seconds * 1e3;
  return fmt::format("{:.{}f}", ms, ms >= 1000 ? 0 : ms >= 100 ? 1 : ms >= 10 ? 2 : 3);
}

struct Column {
  const char* title;
  size_t width;
  bool left;
};

const std::vector<Column>& columns() {
  static const std::vector<Column> all = {
      {"shape", 5, true},      {"direction", 9, true}, {"batch", 5, false},   {"algo", 4, true},
      {"median ms", 9, false}, {"min ms", 8, false},   {"IQR %", 5, false},   {"kept", 6, false},
      {"GFLOP/s", 8, false},   {"executed", 8, false}, {"% peak", 6, false},  {"roof ms", 8, false},
      {"% roof", 6, false},    {"GB/s", 6, false},     {"scratch", 9, false}, {"error", 8, false},
      {"ratio", 6, false},     {"rule", 4, false},     {"detail", 32, true},
  };
  return all;
}

std::optional<double> median(const ConvBenchResult& r) {
  return r.stats ? std::optional(r.stats->median) : std::nullopt;
}
std::optional<double> minimum(const ConvBenchResult& r) {
  return r.stats ? std::optional(r.stats->min) : std::nullopt;
}
std::optional<double> iqr_percent(const ConvBenchResult& r) {
  return r.stats ? percent(r.stats->iqr(), r.stats->median) : std::nullopt;
}

std::vector<std::string> cells(const BenchRow& row, const BenchMachine& machine) {
  const ConvBenchResult& r = row.result;
  const std::string kept =
      r.stats ? fmt::format("{}/{}{}", r.samples.kept(), r.samples.quiet.size(), r.enough_quiet ? "" : "*")
              : "-";
  return {row.name,
          kernels::direction_name(row.direction),
          std::to_string(row.problem.N),
          r.row->name,
          r.right() ? milliseconds(median(r)) : "WRONG",
          milliseconds(minimum(r)),
          number(iqr_percent(r), 1),
          kept,
          number(rate(r.effective_flops, r), 1),
          number(rate(r.executed_flops, r), 1),
          number(percent(rate(r.executed_flops, r), machine.fma_gflops), 1),
          milliseconds(roof_seconds(r, machine)),
          number(percent_of_roof(r, machine), 1),
          number(rate(r.bytes, r), 1),
          fmt::format("{:.1f} MB", static_cast<double>(r.workspace) * 1e-6),
          fmt::format("{:.1e}", r.error),
          number(r.ratio, 2),
          row.ruled ? "yes" : "",
          r.detail};
}

/// Calls add(key, value) for everything a row says, in one order for CSV and JSON.
template <class Add>
void each_field(const BenchRow& row, const BenchMachine& machine, const Add& add) {
  const ConvBenchResult& r = row.result;
  using Value = std::optional<double>;
  add("name", row.name);
  add("algo", std::string(r.row->name));
  add("direction", std::string(kernels::direction_name(row.direction)));
  add("batch", Value(static_cast<double>(row.problem.N)));
  add("median_s", median(r));
  add("min_s", minimum(r));
  add("gflops_effective", rate(r.effective_flops, r));
  add("gflops_executed", rate(r.executed_flops, r));
  add("ratio", r.ratio);
  add("error", Value(r.error));
  add("error_bound", Value(r.error_bound));
  add("verdict", std::string(r.right() ? "right" : "wrong"));
  add("problem", engine::to_shape_string(row.problem));
  add("reference", row.reference);
  add("ratio_low", r.ratio_low);
  add("ratio_high", r.ratio_high);
  add("warm_median_s", r.warm_median);
  add("iqr_percent", iqr_percent(r));
  add("samples_kept", Value(r.samples.kept()));
  add("samples_tried", Value(static_cast<double>(r.samples.quiet.size())));
  add("samples_quiet", std::string(r.enough_quiet ? "yes" : "no"));
  add("calls_per_sample", Value(r.calls));
  add("flops_effective", Value(r.effective_flops));
  add("flops_executed", Value(r.executed_flops));
  add("bytes", Value(r.bytes));
  add("gb_per_s", rate(r.bytes, r));
  add("percent_of_peak", percent(rate(r.executed_flops, r), machine.fma_gflops));
  add("percent_of_triad", percent(rate(r.bytes, r), machine.memory.triad));
  const auto roof = roof_of(r, machine);
  add("roof_s", roof_seconds(r, machine));
  add("roof_bound", std::string(roof ? roof->bound : ""));
  add("percent_of_roof", percent_of_roof(r, machine));
  add("detail", r.detail);
  add("workspace_bytes", Value(static_cast<double>(r.workspace)));
  add("rule", std::string(row.ruled ? "yes" : "no"));
  add("device", machine.device);
  add("threads", Value(machine.threads));
  add("isa", machine.isa);
  const auto measured = [](double peak) { return peak > 0 ? Value(peak) : std::nullopt; };
  add("peak_gflops", measured(machine.fma_gflops));
  add("peak_copy_gb_per_s", measured(machine.memory.copy));
  add("peak_triad_gb_per_s", measured(machine.memory.triad));
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}
std::string csv_cell(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? fmt::format("{}", *value) : "";
}

std::string json_value(const std::string& text) {
  return json_string(text);
}
std::string json_value(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value)) return "null";
  const bool whole = *value == std::floor(*value) && std::abs(*value) < 1e15;
  return whole ? fmt::format("{}", static_cast<int64_t>(*value)) : fmt::format("{}", *value);
}

}  // namespace

BenchTable::BenchTable(std::FILE* stream, bool markdown, const BenchMachine& machine, size_t name_width,
                       size_t algo_width)
    : stream_(stream), markdown_(markdown), machine_(machine) {
  for (const Column& column : columns()) {
    widths_.push_back(std::max(column.width, std::string(column.title).size()));
  }
  widths_[0] = std::max(widths_[0], name_width);
  widths_[3] = std::max(widths_[3], algo_width);
}

void BenchTable::line(const std::vector<std::string>& cells) {
  std::string text = markdown_ ? "|" : "";
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = columns()[i].left ? fmt::format("{:<{}}", cells[i], widths_[i])
                                               : fmt::format("{:>{}}", cells[i], widths_[i]);
    text += markdown_ ? fmt::format(" {} |", cell) : i == 0 ? cell : "  " + cell;
  }
  fmt::print(stream_, "{}\n", text);
  std::fflush(stream_);
}

void BenchTable::head() {
  std::vector<std::string> titles, rule;
  for (size_t i = 0; i < columns().size(); ++i) {
    titles.emplace_back(columns()[i].title);
    rule.push_back(std::string(widths_[i] - 1, '-') + (columns()[i].left ? "-" : ":"));
  }
  line(titles);
  if (markdown_) line(rule);
}

void BenchTable::row(const BenchRow& row) {
  line(cells(row, machine_));
}

std::string bench_csv(const std::vector<BenchRow>& rows, const BenchMachine& machine) {
  std::string head, body;
  for (const BenchRow& row : rows) {
    std::string line, keys;
    each_field(row, machine, [&](const char* key, const auto& value) {
      keys += (keys.empty() ? "" : ",") + std::string(key);
      line += (line.empty() ? "" : ",") + csv_cell(value);
    });
    head = keys + "\n";
    body += line + "\n";
  }
  return head + body;
}

std::string bench_json(const std::vector<BenchRow>& rows, const BenchMachine& machine) {
  std::string text = "[";
  for (const BenchRow& row : rows) {
    JsonObject json;
    each_field(row, machine,
               [&](const char* key, const auto& value) { json.add_raw(key, json_value(value)); });
    text += (text.size() > 1 ? ",\n " : "") + json.text();
  }
  return text + "]\n";
}

}  // namespace tools
