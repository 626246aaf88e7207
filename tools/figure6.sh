#!/usr/bin/env bash
# The four training variants of the CPM paper's figure 6b and joint networks of 1 to 6 stages, trained one after the other
# with the same seed, data and steps, then drawn: PCK against steps and against the number of stages. Finished trainings
# found in the folder are kept, an interrupted one goes on. docs/research.md says what each variant is.
# usage: tools/figure6.sh [--out DIR] [--data SPEC --val SPEC] [--steps N] [--stages N] [CPM_TRAIN_FLAG...]
#   --out DIR     default: runs/figure6 in the repository
#   --data, --val default: people that the program draws; --steps: of each training, default 4000
#   --stages N    the deepest network of the second picture, 3 to 6 (default 6)
set -euo pipefail

usage_error() {
  echo "error: $1" >&2
  exit 64
}

data= val= out= most=6 flags=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) sed -n '2,8s/^# \?//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    --out | --data | --val | --stages)
      [ $# -ge 2 ] || usage_error "$1: has no value | expected: $1 VALUE"
      case "$1" in
        --out) out=$(realpath -m -- "$2") ;;
        --data) data=$2 ;;
        --val) val=$2 ;;
        --stages) most=$2 ;;
      esac
      shift 2 ;;
    *) flags+=("$1"); shift ;;
  esac
done
[[ $most =~ ^[3-6]$ ]] || usage_error "--stages: out of range | expected: 3 to 6 | got: $most"
[ -n "$data" ] || [ -z "$val" ] || usage_error "--val: goes with --data | expected: both or none"
[ -n "$val" ] || [ -z "$data" ] || usage_error "--data: goes with --val | expected: both or none"
here=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${out:-$PWD/runs/figure6}
bin=$PWD/build/release/bin config=$PWD/data/configs/figure6.toml

tools/build.sh release programs
cd "$here"  # files named on the command line are found from where it was given

# train NAME FLAG...: one training, begun, gone on with, or found finished
train() {
  local name=$1 resume=()
  shift
  echo "figure6: training $name"
  if [ -f "$out/$name/run.toml" ]; then resume=(--resume); fi
  "$bin/cpm-train" --config "$config" --data "${data:-synthetic:6000,1-5500}" --val "${val:-synthetic:6000,5501-5700}" \
    --out "$out/$name" "$@" "${flags[@]}" "${resume[@]}"
}

train joint
train stagewise --set supervision.schedule=stagewise
train joint-from-stagewise --weights "$out/stagewise/weights.safetensors"
train last-only --no-intermediate-supervision
by_stages=()
for ((n = 1; n <= most; ++n)); do
  name=joint
  if [ "$n" != 3 ]; then
    name=stages-$n
    train "$name" --set "model.stages=$n"
  fi
  by_stages+=(--stages "$out/$name")
done

"$bin/cpm-compare" "$out/joint" "$out/stagewise" "$out/joint-from-stagewise" "$out/last-only" "${by_stages[@]}" \
  --out "$out"
echo "figure6: pictures: $out/compare.html"
