#include "cpm/metrics_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace cpm {
namespace {

std::optional<double> parse_number(const std::string& cell) {
  double number = 0;
  const char* end = cell.data() + cell.size();
  const auto [stop, error] = std::from_chars(cell.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

Cells split_cells(const std::string& line) {
  Cells cells;
  size_t begin = 0;
  for (size_t comma = line.find(','); comma != std::string::npos; comma = line.find(',', begin)) {
    cells.push_back(line.substr(begin, comma - begin));
    begin = comma + 1;
  }
  cells.push_back(line.substr(begin));
  return cells;
}

}  // namespace

Cells metrics_columns(int stages) {
  Cells columns = {"step", "epoch", "samples", "loss"};
  for (int stage = 1; stage <= stages; ++stage) columns.push_back(fmt::format("loss_stage{}", stage));
  columns.insert(columns.end(), {"lr", "grad_norm", "seconds"});
  for (int stage = 1; stage <= stages; ++stage) columns.push_back(fmt::format("dead_stage{}", stage));
  columns.emplace_back("data_wait");
  return columns;
}

Cells metrics_cells(const MetricsRow& row) {
  const auto text = [](double number) { return fmt::format("{:.9g}", number); };
  Cells cells = {fmt::format("{}", row.step), text(row.epoch), fmt::format("{}", row.samples),
                 text(row.loss)};
  for (const double loss : row.stage_losses) cells.push_back(text(loss));
  for (const double number : {row.lr, row.grad_norm, row.seconds}) cells.push_back(text(number));
  for (const double loss : row.dead_plateau) cells.push_back(text(loss));
  cells.push_back(text(row.data_wait));
  return cells;
}

std::string csv_line(const Cells& cells) {
  return fmt::format("{}\n", fmt::join(cells, ","));
}

std::string json_line(const Cells& columns, const Cells& cells) {
  std::string line;
  for (size_t i = 0; i < columns.size(); ++i) {
    const bool finite = std::isfinite(parse_number(cells[i]).value_or(NAN));
    line += fmt::format("{}\"{}\":{}", i == 0 ? "{" : ",", columns[i], finite ? cells[i] : "null");
  }
  return line + "}\n";
}

std::vector<Cells> complete_lines(const std::string& text) {
  std::vector<Cells> lines;
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    lines.push_back(split_cells(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

std::optional<std::vector<double>> parse_row(const Cells& cells, size_t columns) {
  if (cells.size() != columns) return std::nullopt;
  std::vector<double> numbers;
  for (const std::string& cell : cells) {
    const auto number = parse_number(cell);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

}  // namespace cpm
