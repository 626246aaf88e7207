// A folder for a test's files that goes with the test, and the code and text of the error a call throws.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "kernels/base/error.h"

namespace tests {

class TempFolder {
 public:
  TempFolder() {
    static int number = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("cpm_test_" + std::to_string(::getpid()) + "_" + std::to_string(number++));
    std::filesystem::create_directories(path_);
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  /// Names of everything inside, sorted and separated by spaces.
  std::string listing() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      names.insert(entry.path().filename().string());
    }
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
    return text;
  }

 private:
  std::filesystem::path path_;
};

/// What a call that must fail threw; code Ok and an empty line where it threw nothing.
struct Thrown {
  kernels::ExitCode code = kernels::ExitCode::Ok;
  std::string line;
};

template <class Call>
Thrown thrown_by(const Call& call) {
  try {
    call();
  } catch (const kernels::Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

}  // namespace tests
