#!/usr/bin/env python3
"""Speed of the virtual GPU on one core, as a share of what that core can do at best.

usage: bench_vgpu.py [--folder BUILD/vgpu] [--rounds N] [--json]

Each benchmark program times its kernels and a loop of vector FMA in turns. The runs without checkers, with
VGPU_CHECK=uninit,race and with VGPU_COUNT are interleaved, too; medians are printed.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

PROGRAMS = ["sgemm", "conv9", "mma_tf32"]
# The least share of the peak, in percent, and the greatest slowdowns that we accept.
GOALS = {"sgemm64": 1.2, "conv9": 0.16, "mma_tf32": 1.2}
MODES = {"plain": {}, "checked": {"VGPU_CHECK": "uninit,race"}, "counted": {"VGPU_COUNT": None}}
GREATEST_SLOWDOWN = {"checked": 4.0, "counted": 3.0}


def measure(folder, program, mode, rounds):
    environment = dict(os.environ, LD_LIBRARY_PATH=folder, VGPU_THREADS="1")
    with tempfile.TemporaryDirectory() as scratch:
        for name, value in MODES[mode].items():
            environment[name] = value if value is not None else os.path.join(scratch, "counters.json")
        done = subprocess.run([os.path.join(folder, "tests", "bench", program), str(rounds)], env=environment,
                              stdout=subprocess.PIPE, text=True, check=True, timeout=600)
    return json.loads(done.stdout)


def collect(folder, repeats, rounds):
    """{kernel: {"plain": rate, "checked": rate, "counted": rate, "share": of the peak}}"""
    results = {}
    for program in PROGRAMS:
        samples = {mode: [] for mode in MODES}
        for _ in range(repeats):
            for mode in MODES:
                samples[mode].append(measure(folder, program, mode, rounds))
        for kernel in samples["plain"][0]:
            if kernel == "peak":
                continue
            row = {mode: statistics.median(s[kernel] for s in samples[mode]) for mode in MODES}
            row["share"] = statistics.median(s[kernel] / s["peak"] for s in samples["plain"])
            for mode in GREATEST_SLOWDOWN:
                share = statistics.median(s[kernel] / s["peak"] for s in samples[mode])
                row[f"{mode}_slowdown"] = row["share"] / share
            results[kernel] = row
    return results


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default=os.path.join(here, "../../../build/release/vgpu"))
    parser.add_argument("--repeats", type=int, default=3, help="processes for each mode")
    parser.add_argument("--rounds", type=int, default=3, help="launches in each process")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = collect(os.path.abspath(options.folder), options.repeats, options.rounds)
    if options.json:
        print(json.dumps(results, indent=2))
        return 0
    print("kernel      M FMA/s  share of peak  goal     uninit,race  counters")
    missed = 0
    for kernel, row in results.items():
        goal = GOALS.get(kernel)
        good = goal is None or row["share"] * 100 >= goal
        if kernel == "sgemm32":
            good = good and all(row[f"{m}_slowdown"] <= limit for m, limit in GREATEST_SLOWDOWN.items())
        missed += not good
        print(f"{kernel:10s} {row['plain'] / 1e6:8.0f} {row['share'] * 100:10.2f} %   "
              f"{'%5.2f %%' % goal if goal else '       '}  {row['checked_slowdown']:8.2f} x {row['counted_slowdown']:8.2f} x"
              f"{'' if good else '   missed'}")
    return missed != 0


if __name__ == "__main__":
    sys.exit(main())
