#!/usr/bin/env python3
"""Runs a self-checking CUDA program on the virtual GPU, once for every compute capability, then with every checker.

usage: run_programs.py --library DIR PROGRAM [--cc 75,80,90,100,120]

The program must exit with 0, print `ok` for each of its tests, and leave stderr without `vgpu: error:` lines
(unless --errors says that it provokes some). A correct program stays correct, and unaccused, under every schedule.
"""
import argparse
import os
import subprocess
import sys

CHECKED_SCHEDULES = ["rr", "reverse", "random:1", "random:2"]


def run(program, library, variables, allow_errors):
    """Returns None, or what went wrong."""
    environment = dict(os.environ, LD_LIBRARY_PATH=library, **variables)
    try:
        done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired as error:
        return f"still running after 120 s\n{error.stdout or ''}{error.stderr or ''}"
    if done.returncode != 0:
        return f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    if "ok " not in done.stdout:
        return f"no test has run\n{done.stdout}{done.stderr}"
    if "vgpu: error:" in done.stderr and not allow_errors:
        return f"unexpected report\n{done.stdout}{done.stderr}"
    tests = [line for line in done.stdout.splitlines() if line.startswith("ok ")]
    skipped = [line for line in done.stdout.splitlines() if line.startswith("skip ")]
    print(f"{variables}: {len(tests)} ok, {len(skipped)} skipped")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--library", required=True, help="the folder of libcudart.so.13")
    parser.add_argument("--cc", default="75,80,90,100,120")
    parser.add_argument("--errors", action="store_true", help="reports are part of the program")
    options = parser.parse_args()
    capabilities = options.cc.split(",")
    settings = [{"VGPU_CC": capability} for capability in capabilities]
    if not options.errors:
        settings += [{"VGPU_CC": capabilities[i % len(capabilities)], "VGPU_CHECK": "all", "VGPU_SCHED": schedule}
                     for i, schedule in enumerate(CHECKED_SCHEDULES)]
    failures = 0
    for variables in settings:
        problem = run(options.program, options.library, variables, options.errors)
        if problem is not None:
            print(f"{variables}: {problem}")
            failures += 1
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
