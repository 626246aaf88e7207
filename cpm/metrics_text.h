// The text of metrics.csv and metrics.jsonl: one row of cells, written with nine significant digits (what a
// float needs to come back unchanged). Both files say the same: a JSON line is made from the cells of a CSV
// line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cpm/run_dir.h"

namespace cpm {

using Cells = std::vector<std::string>;

/// step, epoch, samples, loss, loss_stage1 ... loss_stageT, lr, grad_norm, seconds, dead_stage1 ...
/// dead_stageT, data_wait. The order is a promise to scripts; new columns go to the end.
Cells metrics_columns(int stages);
Cells metrics_cells(const MetricsRow& row);

std::string csv_line(const Cells& cells);
/// One JSON object with the cells' digits. JSON knows no NaN and no infinity: they become null.
std::string json_line(const Cells& columns, const Cells& cells);

/// The cells of every line that ends in a line end; what follows the last one is a torn row and left out.
std::vector<Cells> complete_lines(const std::string& text);
/// All cells of a row as numbers, nullopt where it is damaged: a wrong count of cells, or no number in one.
std::optional<std::vector<double>> parse_row(const Cells& cells, size_t columns);

}  // namespace cpm
