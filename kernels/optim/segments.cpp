// Hyperparameters are worked out in double and rounded once to T, as PyTorch does with the scalars it hands
// to its kernels.
#include <cmath>

#include "kernels/base/error.h"
#include "kernels/optim/optim.h"

namespace kernels {

namespace {

Segment aligned(Segment segment) {
  CPM_CHECK(segment.begin % kSegmentAlign == 0 && segment.count >= 0, "a segment of {} elements at {}",
            segment.count, segment.begin);
  return segment;
}

}  // namespace

template <class T>
SgdSegment<T> sgd_segment(Segment segment, const SgdStep& step) {
  return {aligned(segment), static_cast<T>(-step.lr), static_cast<T>(step.momentum),
          static_cast<T>(step.decay), step.first ? 1 : 0};
}

template <class T>
AdamSegment<T> adam_segment(Segment segment, const AdamStep& step) {
  const auto t = static_cast<double>(step.step);
  return {aligned(segment),
          static_cast<T>(-(step.lr / (1 - std::pow(step.beta1, t)))),
          static_cast<T>(1 - step.beta1),
          static_cast<T>(step.beta2),
          static_cast<T>(1 - step.beta2),
          static_cast<T>(std::sqrt(1 - std::pow(step.beta2, t))),
          static_cast<T>(step.eps),
          static_cast<T>(step.decay)};
}

template SgdSegment<float> sgd_segment(Segment, const SgdStep&);
template SgdSegment<double> sgd_segment(Segment, const SgdStep&);
template AdamSegment<float> adam_segment(Segment, const AdamStep&);
template AdamSegment<double> adam_segment(Segment, const AdamStep&);

}  // namespace kernels
