#!/usr/bin/env bash
# Installs missing system packages, builds everything and runs every test; ends with ctest's exit code.
# usage: [PRESET=release|debug|asan|tsan] [CPM_TEST_DATA=DIR] tools/test.sh [CTEST_ARGUMENT...]
# The last lines say how many tests ran, and every skip with its reason. CPM_TEST_DATA names a folder with data/ and
# golden/ for the tests that need more than the repository holds. Arguments, e.g. -R kernels, go to ctest.
set -euo pipefail

case "${1-}" in
  -h | --help) sed -n '2,5s/^# //p' "${BASH_SOURCE[0]}"; exit 0 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${PRESET:-release}
build=build/$preset

tools/build.sh "$preset" all -DCPM_BUILD_TESTS=ON

# ThreadSanitizer of gcc 12 and clang 14 cannot map its memory where the kernel randomises addresses by 32 bits.
run=()
if [ "$preset" = tsan ] && setarch --addr-no-randomize true 2>/dev/null; then run=(setarch --addr-no-randomize); fi

results=$PWD/$build/tests.xml
rm -f "$results"
status=0
${run[@]+"${run[@]}"} ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)" --output-junit "$results" \
  --test-output-size-passed 1000000 --no-tests=error "$@" || status=$?

# ctest names skipped tests but not their reasons; those are in the tests' output.
if [ -f "$results" ]; then
  python3 - "$results" <<'PYTHON'
import re
import sys
import xml.etree.ElementTree as xml

cases = xml.parse(sys.argv[1]).getroot().findall("testcase")
skips = [case for case in cases if case.find("skipped") is not None]
print(f"tests: {len(cases) - len(skips)} ran, {len(skips)} skipped")
for case in skips:
    reasons = re.findall(r"^SKIPPED: (.*)$", case.findtext("system-out", ""), re.MULTILINE)
    reason = "; ".join(dict.fromkeys(reasons)) or case.find("skipped").get("message", "no reason given")
    print(f"  skipped: {case.get('name')}: {reason}")
PYTHON
fi
exit "$status"
