// Catch2 v2 and v3 under one include, and the counted skip that v2 lacks.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace tests {

/// The folder of annotated images and reference numbers that is not part of the repository, from
/// CPM_TEST_DATA (it holds data/ and golden/); empty where it is not set.
inline std::filesystem::path test_data() {
  const char* folder = std::getenv("CPM_TEST_DATA");
  return folder == nullptr ? "" : folder;
}

/// A file of the repository.
inline std::filesystem::path source_file(const std::string& relative) {
  return std::filesystem::path(CPM_SOURCE_DIR) / relative;
}

/// Whether this program watches its memory accesses for data races, at twenty times the time.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)
inline constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
#else
inline constexpr bool kThreadSanitizer = false;
#endif

/// Set by CPM_SKIP_IF; the test program then exits with 4 unless something failed.
inline bool& skipped() {
  static bool value = false;
  return value;
}

}  // namespace tests

/// Leaves the test; ctest counts it as skipped and tools/test.sh prints the reason.
#define CPM_SKIP_IF(condition, reason)      \
  do {                                      \
    if (condition) {                        \
      std::printf("SKIPPED: %s\n", reason); \
      tests::skipped() = true;              \
      SUCCEED("skipped");                   \
      return;                               \
    }                                       \
  } while (false)
