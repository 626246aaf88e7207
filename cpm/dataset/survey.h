// What is in a data set, and what is wrong with it. Nothing is written.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cpm/dataset/dataset.h"
#include "kernels/base/error.h"

namespace cpm {

struct CheckResult {
  std::string description;  // empty where the annotations could not be read
  int64_t people = 0, images = 0;
  std::vector<kernels::ErrorInfo> faults;  // of the annotations, then of the images by their records
};

/// Reads the annotations and decodes every image once. Faults: whatever the reader refuses; an image that is
/// missing or damaged; labelled joints or a centre outside the image; a record that repeats another's image
/// and joints. `progress` (may be empty) gets the number of images done, now and then.
CheckResult check_dataset(const DataSpec& spec, int threads,
                          const std::function<void(int64_t done, int64_t all)>& progress = {});

/// Quantiles of a length over people: least, 5 %, median, 95 %, most.
struct Spread {
  double least = 0, low = 0, median = 0, high = 0, most = 0;
};

struct DatasetStats {
  int64_t people = 0, images = 0;
  int64_t joints = 0, labelled = 0;  // places for labels, and labels
  std::vector<int64_t> labels;       // by joint
  std::vector<int64_t> people_with;  // by number of labelled joints, from 0 to all
  int64_t with_torso = 0;            // people that PCK counts
  int64_t with_company = 0;          // people with others in the picture
  int64_t outside_input = 0;         // labels beyond the square that the network sees
  int64_t turned = 0,
          shoulders = 0;  // people whose right shoulder lies left in the image, of those with both
  Spread height;          // 200 x size, pixels
};

/// From the annotations alone.
DatasetStats dataset_stats(const Dataset& dataset);

}  // namespace cpm
