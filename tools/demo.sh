#!/usr/bin/env bash
# From a fresh machine to a trained network: installs missing system packages, builds the programs, trains a small
# CPM on synthetic people, evaluates it on people it never saw, and says where the report is.
# usage: tools/demo.sh [--out DIR] [CPM_TRAIN_FLAG...]   (without --out: runs/demo-NNN in the repository)
set -euo pipefail

out=
case "${1-}" in
  -h | --help) sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}"; exit 0 ;;
  --out)
    if [ $# -lt 2 ]; then
      echo "error: --out: has no value | expected: --out DIR" >&2
      exit 64
    fi
    out=$(realpath -m -- "$2")
    shift 2 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."

people=synthetic:6000  # 1-5500 to train, 5501-5700 to watch training, 5701-6000 for the final figure
bin=build/release/bin

echo "demo: 1/3 set-up and build"
tools/build.sh release programs
built=$SECONDS

echo "demo: 2/3 training (settings: data/configs/demo.toml)"
"$bin/cpm-train" --config data/configs/demo.toml --data "$people,1-5500" --val "$people,5501-5700" \
  ${out:+--out "$out"} "$@"
trained=$SECONDS
run=${out:-$PWD/$(ls -td runs/demo-*/ | sed -n '1s,/$,,p')}

echo "demo: 3/3 evaluation on held-out people"
result=$("$bin/cpm-eval" --weights "$run/weights.safetensors" --data "$people,5701-6000" --out "$run/held-out" --json)
python3 - "$result" <<'PYTHON'
import json
import sys

result = json.loads(sys.argv[1])
print(f"demo: {result['metric']} @ {result['threshold']}: {100 * result['mean']:.1f} % of {result['count']} joints"
      " of people never seen in training")
PYTHON
echo "demo: set-up and build $built s, training $((trained - built)) s, evaluation $((SECONDS - trained)) s"
echo "demo: report: $run/report.html"
