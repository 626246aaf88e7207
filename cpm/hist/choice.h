// What is shown of a run: which layers, which steps, and on which axes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cpm/hist/records.h"

namespace cpm {

/// Steps first .. last, both inclusive.
struct StepSpan {
  int64_t first = 0, last = 0;

  bool holds(int64_t step) const { return step >= first && step <= last; }
  bool operator==(const StepSpan&) const = default;
};

/// The layers of the paper's figure on gradients, as indices into `tensors` (which lie by depth), a block for
/// each of the first, the middle and the last stage: the first, the third and the last layer that the image
/// takes through belief maps to the output there. In a network of three stages whose layers are counted along
/// that way these are the paper's 1, 3, 6 | 7, 9, 12 | 13, 15, 18. Other tensors are taken where none lies on
/// that way.
std::vector<std::vector<size_t>> grid_blocks(const std::vector<GradTensor>& tensors);

/// Names of the layers from the image through every stage's belief maps to the last ones.
std::vector<std::string> belief_path(int stages);

/// From 1; 0 for an accumulated record that ends before an epoch does.
int64_t epoch_of(int64_t step, const Epochs& epochs);
/// The steps of an epoch: epoch_of is `epoch` for them alone. Empty (last < first) where no step lies in it.
StepSpan epoch_steps(int64_t epoch, const Epochs& epochs);

/// `span` cut into at most `count` parts whose lengths differ by one step at the most.
std::vector<StepSpan> cut(const StepSpan& span, int count);

/// The number 1, 2 or 5 times a power of ten that is not below `value` (1 for what is not above zero).
double round_up(double value);

struct LogRange {
  double low = -1, high = 0;  // powers of ten

  bool operator==(const LogRange&) const = default;
};

/// The range of `magnitudes` in powers of ten, outwards to whole ones (at most `most` of them, from the top);
/// what is not finite and above zero does not count.
LogRange log_range(const std::vector<double>& magnitudes, double most);

}  // namespace cpm
