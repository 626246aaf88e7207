// Times of convolution rows, kept on disk from one --tune to the next: one file for a machine and build.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/tune/conv_tuner.h"

namespace engine {

/// What times hold for: processor, instruction set, threads, device, its runtime and driver, whether results
/// must repeat, and build.
std::map<std::string, std::string> tuning_machine(const kernels::Exec& exec);

/// $XDG_CACHE_HOME/cpm where that is an absolute path, else $HOME/.cache/cpm; empty where neither is known.
std::filesystem::path cache_folder();

class ConvCache {
 public:
  using Warn = std::function<void(const std::string&)>;

  /// `folder` empty: nothing is read or kept, which a warning says.
  ConvCache(std::filesystem::path folder, std::map<std::string, std::string> machine, Warn warn);

  const std::filesystem::path& file() const { return file_; }
  /// The times of this machine; empty where there are none. A file that is damaged, or of another machine, is
  /// left out with a warning, and the next save() replaces it.
  ConvTimes load() const;
  /// Replaces the file. Where it cannot be written, one warning says so.
  void save(const ConvTimes& times);

 private:
  std::map<std::string, std::string> machine_;
  Warn warn_;
  std::filesystem::path file_;
  bool writable_ = true;
};

/// tune_conv with the times that `folder` holds for this machine, which gets those that were measured. A
/// virtual device is not timed: the plan is empty then, and a warning says so.
std::map<std::string, std::string> tune_with_cache(const kernels::Exec& exec,
                                                   const std::vector<PlannedConv>& lines, ConvTuning tuning,
                                                   const std::filesystem::path& folder,
                                                   const ConvCache::Warn& warn);

}  // namespace engine
