// The main of every Catch2 test program, for Catch2 v2 (Debian 12) and v3 (Ubuntu 24.04) alike. Exit codes: 0
// passed, 4 passed but CPM_SKIP_IF left a test (the code of Catch2 v3 for that), 1 failed (Catch2 returns the
// number of failures, which may be 4). Catch2 v2 also returns the number of tests it lists: only zero has a
// meaning there.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include "tests/support/catch.h"

int main(int argc, char** argv) {
  constexpr int kSkipped = 4;
  if (Catch::Session().run(argc, argv) != 0) return 1;
  return tests::skipped() ? kSkipped : 0;
}
