#include "kernels/base/nearest.h"

#include <algorithm>
#include <array>

// The unrestricted distance by Lowrance and Wagner's recurrence ("An Extension of the String-to-String
// Correction Problem", JACM 1975): a swap may have insertions and deletions between its two letters, which is
// why every letter's last row is remembered.

namespace kernels {

int edit_distance(const std::string& a, const std::string& b) {
  const int rows = static_cast<int>(a.size()), columns = static_cast<int>(b.size());
  const int infinity = rows + columns;
  const size_t pitch = b.size() + 2;
  // cell(i + 1, j + 1): the distance of a's first i and b's first j letters; row and column 0 are infinite.
  std::vector<int> cells((a.size() + 2) * pitch, infinity);
  const auto cell = [&](int i, int j) -> int& {
    return cells[static_cast<size_t>(i) * pitch + static_cast<size_t>(j)];
  };
  for (int i = 0; i <= rows; ++i) cell(i + 1, 1) = i;
  for (int j = 0; j <= columns; ++j) cell(1, j + 1) = j;

  std::array<int, 256> last_row{};  // of each letter in a
  for (int i = 1; i <= rows; ++i) {
    int last_match = 0;  // the column of this row's last equal letter
    for (int j = 1; j <= columns; ++j) {
      const int swap_row = last_row[static_cast<unsigned char>(b[static_cast<size_t>(j) - 1])];
      const int swap_column = last_match;
      const bool equal = a[static_cast<size_t>(i) - 1] == b[static_cast<size_t>(j) - 1];
      if (equal) last_match = j;
      const int swapped = cell(swap_row, swap_column) + (i - swap_row - 1) + 1 + (j - swap_column - 1);
      cell(i + 1, j + 1) =
          std::min({cell(i, j) + (equal ? 0 : 1), cell(i + 1, j) + 1, cell(i, j + 1) + 1, swapped});
    }
    last_row[static_cast<unsigned char>(a[static_cast<size_t>(i) - 1])] = i;
  }
  return cell(rows + 1, columns + 1);
}

std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates) {
  constexpr size_t kLongest = 512;  // nobody mistypes more, and the table grows with the square
  std::string best;
  int best_distance = -1;
  if (name.size() > kLongest) return best;
  for (const std::string& candidate : candidates) {
    const size_t longer = std::max(name.size(), candidate.size());
    const size_t shorter = std::min(name.size(), candidate.size());
    if (candidate.size() > kLongest || 2 * (longer - shorter) > longer) continue;
    const int distance = edit_distance(name, candidate);
    if (2 * static_cast<size_t>(distance) > longer) continue;
    if (best_distance < 0 || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string nearest_hint(const std::string& name, const std::vector<std::string>& candidates) {
  const std::string near = nearest_name(name, candidates);
  return near.empty() ? "" : "did you mean " + near + "?";
}

}  // namespace kernels
