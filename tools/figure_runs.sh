#!/usr/bin/env bash
# What the scripts that draw a figure of the paper have in common: flags, and trainings that are kept or gone on with.
# Sourced by figure5.sh and figure6.sh, which set `default_data` and `default_val`.
set -euo pipefail

figure=$(basename "$0" .sh)
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
bin=$root/build/release/bin
declare -A given=([--out]=$root/runs/$figure)  # values of the script's own flags
flags=()                                       # for cpm-train

usage_error() {
  echo "error: $1" >&2
  exit 64
}

# read_flags OWN WORD...: --out, --data, --val and the flags listed in OWN have a value and go to `given`; others to `flags`.
# --help prints the comment at the head of the script.
read_flags() {
  local own=" --out --data --val $1 "
  shift
  while [ $# -gt 0 ]; do
    if [ "$1" = -h ] || [ "$1" = --help ]; then
      sed -n '2,${/^#/!q;s/^# \?//p}' "$0"
      exit 0
    elif [[ $own == *" $1 "* ]]; then
      [ $# -ge 2 ] || usage_error "$1: has no value | expected: $1 VALUE"
      given[$1]=$2
      shift 2
    else
      flags+=("$1")
      shift
    fi
  done
  [ -n "${given[--data]-}" ] || [ -z "${given[--val]-}" ] || usage_error "--val: goes with --data | expected: both or none"
  [ -n "${given[--val]-}" ] || [ -z "${given[--data]-}" ] || usage_error "--data: goes with --val | expected: both or none"
  out=$(realpath -m -- "${given[--out]}")
}

# train NAME FLAG...: one training, begun, gone on with, or found finished. Files named on the command line are found from
# where it was given.
train() {
  local name=$1 resume=()
  shift
  echo "$figure: training $name"
  if [ -f "$out/$name/run.toml" ]; then resume=(--resume); fi
  "$bin/cpm-train" --config "$root/data/configs/$figure.toml" --data "${given[--data]-$default_data}" \
    --val "${given[--val]-$default_val}" --out "$out/$name" "$@" "${flags[@]}" "${resume[@]}"
}
