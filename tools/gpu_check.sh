#!/usr/bin/env bash
# For a machine with an NVIDIA GPU: builds, runs every check and measurement that needs the device, and packs what
# they said into one file to send back. Beside the build it takes under ten minutes on an H100.
# usage: tools/gpu_check.sh [--no-build] [--build DIR] [--out DIR] [--virtual]
#   --no-build   what is built is up to date
#   --build DIR  a build folder of your own (default build/release, for the GPU that is there)
#   --out DIR    where the logs go (default gpu-check-DATE); DIR.tar.gz is made beside it
#   --virtual    a few small steps on the virtual GPU (tools/vgpu) instead: tries this script, not a device
# Every step has a time limit, and one that fails stops no other. CUDA_VISIBLE_DEVICES chooses the GPU, CPM_TEST_DATA
# adds golden cases (docs/testing.md). Exit codes: 0 no step failed, 1 one did, 64 usage, 73 cannot write.
set -euo pipefail

fail() {  # fail CODE WHAT: one line, as the commands print it
  printf 'error: tools/gpu_check.sh: %s\n' "$2" >&2
  exit "$1"
}

compile=1 virtual=0 build='' out=''
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) sed -n '2,10s/^# //p' "${BASH_SOURCE[0]}"; exit 0 ;;
    --no-build) compile=0 ;;
    --virtual) virtual=1 ;;
    --build | --out)
      [ $# -ge 2 ] || fail 64 "$1 has no value | expected: $1 DIR"
      if [ "$1" = --build ]; then build=$(realpath -m -- "$2"); else out=$(realpath -m -- "$2"); fi
      shift ;;
    *) fail 64 "unknown argument | expected: --no-build, --build DIR, --out DIR or --virtual | got: $1" ;;
  esac
  shift
done
here=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
own_build=$build
build=${build:-$PWD/build/release}
out=${out:-$here/gpu-check-$(date +%Y%m%d-%H%M%S)}
if [ "$virtual" = 1 ]; then
  export LD_LIBRARY_PATH=$build/vgpu:$build/vgpu/standins
elif [[ ${LD_LIBRARY_PATH-} == */vgpu* ]]; then
  fail 64 "LD_LIBRARY_PATH leads to the virtual GPU | expected: the driver's libraries | got: $LD_LIBRARY_PATH"
fi
[ ! -e "$out" ] || fail 73 "there is something already | expected: a new folder | got: $out"
mkdir -p "$out" || fail 73 "cannot make the folder | got: $out"

passed=0 failed=0 skipped=0
note() {  # note VERDICT STEP SECONDS DETAIL: a line of the summary
  printf '%s  %-20s %4d s  %s\n' "$@" | tee -a "$out/steps.txt"
  case "$1" in PASS) passed=$((passed + 1)) ;; FAIL) failed=$((failed + 1)) ;; *) skipped=$((skipped + 1)) ;; esac
}

findings() {  # findings LOG: what compute-sanitizer or a test says is wrong
  grep -E '^========= +[A-Z]' "$1" | grep -vE '^========= (COMPUTE-SANITIZER|ERROR SUMMARY: 0 |RACECHECK SUMMARY: 0 )' || grep 'FAILED:$' "$1" || true
}

step() {  # step NAME SECONDS COMMAND...: runs it into NAME.log; its last line is the summary's
  # late=SKIP before the command: no time to end is no failure, where nothing was found until then
  local name=$1 limit=$2 log=$out/$1.log start=$SECONDS code=0 verdict=PASS detail
  shift 2
  timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 || code=$?
  detail=$(grep -v '^[ =-]*$' "$log" | tail -n 1 | cut -c 1-200 || true)
  case "$code" in
    0) ;;
    4) detail+="; $(grep '^SKIPPED: ' "$log" | sort -u | paste -sd ' ')" ;;  # Catch2: all else passed
    124 | 137)
      verdict=FAIL detail="not done after $limit s: $detail"
      if [ "${late-}" = SKIP ] && [ -z "$(findings "$log")" ]; then verdict=SKIP detail+="; no finding until then"; fi ;;
    *) verdict=FAIL detail="exit code $code: $detail" ;;
  esac
  note "$verdict" "$name" $((SECONDS - start)) "$detail"
}

on_device() {  # on_device NAME SECONDS COMMAND...: a step, or where there is no device a skip
  if [ -n "$no_device" ]; then note SKIP "$1" 0 "$no_device"; else step "$@"; fi
}

with_library() {  # with_library LIBRARY NAME SECONDS COMMAND...: the same, where cpm-doctor found the library
  local why
  why=$(sed -n "s/^WARN  $1 *//p" "$out/doctor.log")
  grep -q "^PASS  $1 " "$out/doctor.log" || why=${why:-"this build has no CUDA parts"}
  if [ -z "$no_device" ] && [ -n "$why" ]; then note SKIP "$2" 0 "$why"; else on_device "${@:2}"; fi
}

device_architectures() {  # PTX for the virtual GPU and machine code for every device; nothing where none is found
  local capabilities
  capabilities=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | tr -d . | grep -x '[0-9]*' | sort -nu) || true
  [ -n "$capabilities" ] || return 0
  printf -- '-DCPM_CUDA_ARCHITECTURES=%d-virtual' "$(printf '%s\n80\n' "$capabilities" | sort -n | head -n 1)"
  printf -- ';%d-real' $capabilities
}

{
  date -u '+%Y-%m-%d %H:%M UTC'
  git log -1 --format='commit %H' 2>/dev/null || echo "no git checkout"
  uname -srm
  grep -m 1 '^model name' /proc/cpuinfo || true
  nvidia-smi --query-gpu=name,compute_cap,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit \
    --format=csv 2>&1 || echo "nvidia-smi does not run"
  grep -E '^(CPM_CUDA_ARCHITECTURES|CMAKE_CUDA_COMPILER|CUDAToolkit_VERSION)' "$build/CMakeCache.txt" 2>/dev/null || true
} >"$out/machine.txt"

if [ "$compile" = 0 ]; then
  note SKIP build 0 "--no-build"
elif [ -n "$own_build" ]; then
  step build 3600 cmake --build "$build" --parallel "$(nproc)"
else
  mapfile -t architectures < <(device_architectures)
  step build 3600 tools/build.sh release all -DCPM_BUILD_TESTS=ON ${architectures[@]+"${architectures[@]}"}
fi

# Sizes: what a device does in seconds, and what the virtual one does.
kernel_tests=() network_tests=() library_tests=('~[absent]')
steps=200 training=(--set model.stages=3 --set model.width=0.125 --set data.input=64 --batch 4)
conv=() large=(--shape B --shape C --shape F) network=(--batch 4 --samples 5) cudnn=(--algo cudnn.best)
if [ "$virtual" = 1 ]; then
  kernel_tests=('cuda relu*,cuda device*') network_tests=('[checked]') library_tests=('library rows*')
  steps=8 training=(--set model.stages=2 --set model.width=0.0625 --set data.input=32 --batch 2)
  conv=(--shape mb1_ic3ih9_oc4oh9_kh3) large=("${conv[@]}")
  network=(--size 32 --width 0.0625 --stages 2 --samples 1 --mode step)
  cudnn+=(--no-cuda-graph)  # which the stand-ins for cuDNN need
fi

bin=$build/bin tests=$build/tests
step doctor 60 "$bin/cpm-doctor" --out "$out"
device=$(sed -n 's/^[A-Z]*  cuda:0 *//p' "$out/doctor.log")
no_device=''
if [ -z "$device" ]; then
  no_device="no CUDA device"
  note FAIL device 0 "$no_device: $(sed -n 's/^[A-Z]*  cuda *//p' "$out/doctor.log")"
elif [ "$virtual" = 0 ] && [[ $device == VIRTUAL* ]]; then
  no_device="no real device"
  note FAIL device 0 "$no_device: $device"
else
  note PASS device 0 "$device"
fi

on_device kernels 120 "$tests/kernels_cuda_tests" ${kernel_tests[@]+"${kernel_tests[@]}"}
on_device networks 120 "$tests/cpm_cuda_tests" ${network_tests[@]+"${network_tests[@]}"}
if [ -x "$tests/kernels_libs_tests" ]; then
  LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$tests/plugins \
    with_library cuDNN libraries 120 "$tests/kernels_libs_tests" "${library_tests[@]}"
else
  note SKIP libraries 0 "the build found no headers of cuDNN and cuBLAS"
fi

train=("$bin/cpm-train" --data synthetic:200 --seed 3 --steps "$steps" "${training[@]}")
on_device train-cpu 120 "${train[@]}" --device cpu --out "$out/train-cpu"
on_device train-cuda 60 "${train[@]}" --device cuda --out "$out/train-cuda"
on_device train-plain 60 "${train[@]}" --device cuda --no-cuda-graph --out "$out/train-plain"
# Rounding is all that may differ, and training amplifies it: two instruction sets of one processor (CPM_ISA=portable
# and avx2) were seen to differ by 1.5e-8 in the first 20 steps and by 1.8e-3 in 200.
on_device loss-curve 10 python3 - "$out" "$steps" <<'PYTHON'
import csv
import sys

EARLY, EARLY_BOUND, BOUND = 20, 1e-5, 2e-2
folder, steps = sys.argv[1], int(sys.argv[2])
curves = []
for device in ("cpu", "cuda"):
    with open(f"{folder}/train-{device}/metrics.csv", encoding="utf-8") as file:
        curves.append([float(row["loss"]) for row in csv.DictReader(file)])
host, cuda = curves
if (len(host), len(cuda)) != (steps, steps):
    sys.exit(f"{len(host)} and {len(cuda)} steps instead of {steps}")
differences = [abs(b / a - 1) for a, b in zip(host, cuda)]
early, worst = max(differences[:EARLY]), max(differences)  # a NaN has ended the training
print(f"{steps} steps, loss {host[0]:.4g} to {host[-1]:.4g}: within {early:.1e} of the CPU's in the first {EARLY} "
      f"(at most {EARLY_BOUND:.0e} wanted), within {worst:.1e} in all (at most {BOUND:.0e})")
sys.exit(0 if early <= EARLY_BOUND and worst <= BOUND else 1)
PYTHON
on_device same-bits 10 cmp "$out/train-cuda/weights.safetensors" "$out/train-plain/weights.safetensors"

on_device conv-batch1 150 "$bin/bench_conv" --device cuda --batch 1 --samples 5 --seconds 0.5 \
  ${conv[@]+"${conv[@]}"} --csv "$out/conv-batch1.csv"
on_device conv-batch16 120 "$bin/bench_conv" --device cuda --batch 16 --samples 5 --seconds 0.5 \
  "${large[@]}" --csv "$out/conv-batch16.csv"
on_device network 60 "$bin/bench_cpm" --device cuda "${network[@]}"
on_device network-plain 60 "$bin/bench_cpm" --device cuda "${network[@]}" --no-cuda-graph
with_library cuDNN network-cudnn 60 "$bin/bench_cpm" --device cuda "${network[@]}" "${cudnn[@]}"
if [ "$virtual" = 1 ]; then
  note SKIP cudnn-recorded 0 "the stand-ins for cuDNN cannot be recorded"
else
  # Steps of cuDNN's rows in a recording have the losses of those that are launched one by one.
  with_library cuDNN cudnn-recorded 60 bash -c 'set -euo pipefail
    losses() { "$@" --json | grep -o "\"losses\": *\[[^]]*\]"; }
    recorded=$(losses "$@") plain=$(losses "$@" --no-cuda-graph)
    printf "%s recorded, %s launched one by one\n" "$recorded" "$plain"
    [ "$recorded" = "$plain" ]' - "$bin/bench_cpm" --device cuda --mode step --batch 2 --samples 3 --algo cudnn.best
fi

compiler=$(sed -n 's/^CUDAToolkit_NVCC_EXECUTABLE:[A-Z]*=//p' "$build/CMakeCache.txt" 2>/dev/null || true)
sanitizer=$(PATH=$PATH:$(dirname "${compiler:-/}") command -v compute-sanitizer || true)
for tool in memcheck racecheck initcheck; do
  if [ "$virtual" = 1 ]; then
    note SKIP "$tool" 0 "the virtual GPU has checkers of its own"
  elif [ -z "$sanitizer" ]; then
    note SKIP "$tool" 0 "compute-sanitizer was not found"
  else
    late=SKIP on_device "$tool" 100 "$sanitizer" --tool "$tool" --error-exitcode 1 "$tests/kernels_cuda_tests"
  fi
done

{
  printf '# GPU check\n\n%s, %d s\n\n```\n' "${device:-$no_device}" "$SECONDS"
  cat "$out/steps.txt"
  printf '```\n\n```\n'
  cat "$out/machine.txt"
  printf '```\n'
} >"$out/summary.md"
rm "$out/steps.txt"
tar -C "$(dirname "$out")" --exclude=ckpt --exclude=weights.safetensors -czf "$out.tar.gz" "$(basename "$out")"
echo "gpu check: $passed passed, $failed failed, $skipped skipped in $SECONDS s; to send back: $out.tar.gz"
[ "$failed" = 0 ] || exit 1
