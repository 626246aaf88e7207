#!/usr/bin/env bash
# Builds the fuzz targets (clang, AddressSanitizer, UBSan) and runs them two at a time from the seeds in tests/fuzz.
# usage: tools/fuzz.sh [--inputs N | --seconds S] [--jobs J] [TARGET...]   (default: --seconds 20, every target)
# Exit code 0: nothing found; 1: a finding, its input kept in build/fuzz/findings/. Run such an input again with
# build/fuzz/fuzz/fuzz_TARGET FILE. What a target learns stays in build/fuzz/corpus/ for its next run. CPM_FUZZ_SEED, default 1,
# is the seed of the mutations.
set -euo pipefail

usage() {  # usage WHAT EXPECTED GOT
  printf 'error: tools/fuzz.sh: %s | expected: %s | got: %s | hint: see tools/fuzz.sh --help\n' "$1" "$2" "$3" >&2
  exit 64
}

script=${BASH_SOURCE[0]}
cd "$(dirname "$script")/.."
known=$(cd tests/fuzz && for main in fuzz_*.cpp; do main=${main#fuzz_}; printf '%s ' "${main%.cpp}"; done)
limit=-max_total_time=20 jobs=2 targets=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) sed -n '2,6s/^# //p' tools/fuzz.sh; exit 0 ;;
    --inputs | --seconds | --jobs)
      [[ ${2-} =~ ^[1-9][0-9]{0,9}$ ]] || usage "$1: not a count" "a whole number from 1" "${2-nothing}"
      case "$1" in
        --inputs) limit=-runs=$2 ;;
        --seconds) limit=-max_total_time=$2 ;;
        --jobs) jobs=$2 ;;
      esac
      shift 2 ;;
    *)
      case " $known" in *" $1 "*) ;; *) usage "unknown target" "some of: ${known% }" "$(printf %q "$1")" ;; esac
      targets+=("$1")
      shift ;;
  esac
done
[ ${#targets[@]} -gt 0 ] || read -r -a targets <<<"$known"

tools/setup.sh --with-fuzz
tools/build.sh fuzz fuzzers

# What is slow (25 s an input) or eats memory (1 GiB) is a finding too.
fuzz_one() {
  local name=$1 work=build/fuzz
  mkdir -p "$work/corpus/$name" "$work/findings" "$work/logs"
  local status=0
  "$work/fuzz/fuzz_$name" -dict="tests/fuzz/dictionaries/$name.dict" -max_len=8192 -timeout=25 -rss_limit_mb=1024 \
    -seed="${CPM_FUZZ_SEED:-1}" "$limit" -artifact_prefix="$work/findings/$name-" -print_final_stats=1 \
    "$work/corpus/$name" "tests/fuzz/seeds/$name" >"$work/logs/$name.log" 2>&1 || status=$?
  local ran
  ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/logs/$name.log")
  if [ "$status" = 0 ]; then
    echo "fuzz: $name: ${ran:-0} inputs, nothing found"
  else
    grep -E '^(SUMMARY|fuzz:|artifact_prefix)|runtime error|terminate called|what\(\)' "$work/logs/$name.log" >&2 || true
    echo "fuzz: $name: a finding after ${ran:-some} inputs; see $work/logs/$name.log"
    return 1
  fi
}
export -f fuzz_one
export limit

printf '%s\0' "${targets[@]}" | xargs -0 -P "$jobs" -I {} bash -c 'fuzz_one {}' || exit 1
