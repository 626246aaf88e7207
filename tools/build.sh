#!/usr/bin/env bash
# Set-up, configuration and build in one: what tools/test.sh and tools/demo.sh begin with.
# usage: tools/build.sh PRESET [TARGET [CMAKE_ARGUMENT...]]   (presets: CMakePresets.json; target: all, programs, ...)
# Ninja and ccache are used where they are there, unless CMAKE_GENERATOR or CMAKE_CXX_COMPILER_LAUNCHER say otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1---help}" in
  -h | --help) sed -n '2,4s/^# //p' tools/build.sh; exit 0 ;;
esac
preset=$1 target=${2-all}
shift $(($# < 2 ? $# : 2))

tools/setup.sh
if command -v ninja >/dev/null; then export CMAKE_GENERATOR="${CMAKE_GENERATOR-Ninja}"; fi
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER="${CMAKE_CXX_COMPILER_LAUNCHER-ccache}"; fi
echo "build: preset $preset, target $target"
cmake --preset "$preset" "$@"
cmake --build --preset "$preset" --target "$target" --parallel "$(nproc)"
