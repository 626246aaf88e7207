#!/usr/bin/env bash
# Figure 5 of the CPM paper: distributions of gradients by layer and epoch, of a network of three stages trained with and
# without intermediate supervision, with the same seed and data in the same order. Finished trainings found in the folder
# are kept, an interrupted one goes on. docs/research.md has the result.
# usage: tools/figure5.sh [--out DIR] [--data SPEC --val SPEC] [--epochs N] [CPM_TRAIN_FLAG...]
#   --out DIR     default: runs/figure5 in the repository
#   --data, --val default: people that the program draws; --epochs: of each training, default 10
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/figure_runs.sh"

default_data=synthetic:2000 default_val=synthetic:2200,2001-2200
read_flags "" "$@"
"$root/tools/build.sh" release programs

train with
train without --no-intermediate-supervision

"$bin/cpm-hist" compare "$out/with" "$out/without" --out "$out/$figure.html"
