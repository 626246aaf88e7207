#!/usr/bin/env bash
# The four training variants of the CPM paper's figure 6b and joint networks of 1 to 6 stages, trained one after the other
# with the same seed, data and steps, then drawn: PCK against steps and against the number of stages. Finished trainings
# found in the folder are kept, an interrupted one goes on. docs/research.md says what each variant is.
# usage: tools/figure6.sh [--out DIR] [--data SPEC --val SPEC] [--steps N] [--stages N] [CPM_TRAIN_FLAG...]
#   --out DIR     default: runs/figure6 in the repository
#   --data, --val default: people that the program draws; --steps: of each training, default 4000
#   --stages N    the deepest network of the second picture, 3 to 6 (default 6)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/figure_runs.sh"

default_data=synthetic:6000,1-5500 default_val=synthetic:6000,5501-5700
read_flags --stages "$@"
most=${given[--stages]-6}
[[ $most =~ ^[3-6]$ ]] || usage_error "--stages: out of range | expected: 3 to 6 | got: $most"
"$root/tools/build.sh" release programs

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
