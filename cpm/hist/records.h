// Reads RUN/grads/: the histograms of gradients that cpm-train writes (docs/research.md has the format). The
// records of one tensor at a time are unpacked, so memory does not grow with the number of tensors.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cpm/grad_collector.h"
#include "cpm/hist/counts.h"

namespace cpm {

/// What GradTensor::kind may be.
inline constexpr std::array<const char*, 3> kGradKinds = {"weight", "bias", "activation"};

/// How steps are told to epochs. A step that two of them share belongs to the later one; a record that is
/// accumulated over an epoch carries the step that reaches its end, and belongs to the one that ends.
struct Epochs {
  double steps = 1;          // in each, may be fractional
  bool accumulated = false;  // a record is an epoch
};

/// meta.json.
struct RecordedMeta {
  std::string run;
  bool intermediate_supervision = true;
  Epochs epochs;
  std::optional<kernels::LinearBins> linear;
  std::vector<GradTensor> tensors;  // by depth
};

/// Reads meta.json's text; BadData, with `file` as its place, where it is damaged or of another format.
RecordedMeta parse_grad_meta(const std::string& text, const std::filesystem::path& file);

struct RecordedStats {
  double l2 = 0, max = 0, mean = 0, update_ratio = 0;
};

class GradFolder {
 public:
  /// The folder of a run, or its grads/ itself. BadData where it holds no histograms, or meta.json is damaged
  /// or of another format.
  static GradFolder open(const std::filesystem::path& run);

  const std::filesystem::path& path() const { return path_; }
  const RecordedMeta& meta() const { return meta_; }
  /// The step of each record, ascending.
  const std::vector<int64_t>& steps() const { return steps_; }

  using Visitor = std::function<void(size_t record, const HistCounts& counts, const RecordedStats& stats)>;
  /// Every record of a tensor of meta(), in order of steps. BadData names the file and what is wrong with it.
  void each_record(const GradTensor& tensor, const Visitor& visit) const;

 private:
  struct Part {
    std::filesystem::path file;
    size_t records = 0;
  };

  std::filesystem::path path_;
  RecordedMeta meta_;
  std::vector<Part> parts_;
  std::vector<int64_t> steps_;
};

}  // namespace cpm
