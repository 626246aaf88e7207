#!/usr/bin/env python3
"""Runs a program with a seeded bug, and its correct twin, under several schedules of the virtual GPU.

usage: run_bugs.py --library DIR SOURCE.cu PROGRAM

The head of SOURCE says what must be reported (see bugs/bug.h); lines marked BUG say where.
"""
import argparse
import os
import re
import subprocess
import sys

SCHEDULES = ["rr", "reverse", "random:1", "random:2", "random:3"]


class Expectation:
    """What the comments of a bug's source ask for."""

    def __init__(self, path):
        self.text, self.check, self.variables, self.status, self.error = None, "", {}, 0, None
        self.at = self.first = self.alternative = None
        self.file = os.path.basename(path)
        self.lines, self.kernels = [], set()
        with open(path, encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                self.read_line(line.strip(), number)
        if self.text is None or self.status == 0:
            raise SystemExit(f"{path}: needs // expect: and // status: comments")

    def read_line(self, line, number):
        self.kernels.update(re.findall(r"__global__ void (?:__launch_bounds__\(\w+\) )?(\w+)\(", line))
        field = re.match(r"// (expect|check|set|status|error|at|first|or): (.*)", line)
        if re.search(r"// BUG\b", line):
            self.lines.append(number)
        if not field:
            return
        name, value = field.groups()
        if name == "expect":
            self.text = value
        elif name == "check":
            self.check = value
        elif name == "set":
            variable, _, setting = value.partition("=")
            self.variables[variable] = setting
        elif name in ("at", "first"):
            setattr(self, name, value)
        elif name == "or":
            status, _, text = value.partition(" ")
            self.alternative = int(status), text
        else:
            setattr(self, name, int(value))

    def fits(self, line, schedule):
        """Is this report line the one we want?"""
        where = self.at if schedule.startswith("random") else self.at or self.first
        if not re.search(self.text, line) or (where is not None and where not in line):
            return False
        named = re.search(r"\| kernel (?:.*::)?(\w+)\(", line)  # host-side findings name no kernel
        if named is not None and named.group(1) not in self.kernels:
            return False
        if self.lines and named is None and "| at " in line:
            return False
        return not self.lines or any(re.search(rf"{re.escape(self.file)}:{n}\b", line) for n in self.lines)


def run(program, mode, library, expectation, schedule):
    environment = dict(os.environ, LD_LIBRARY_PATH=library, VGPU_SCHED=schedule, VGPU_CHECK=expectation.check)
    environment.update(expectation.variables)
    if not expectation.check:
        del environment["VGPU_CHECK"]
    try:
        return subprocess.run([program, mode], env=environment, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"").decode(), (error.stderr or b"").decode()
        return subprocess.CompletedProcess([program, mode], "none (still running after 60 s)", *output)


def judge_bug(done, expectation, schedule):
    reports = [line for line in done.stderr.splitlines() if line.startswith("vgpu: error:")]
    if expectation.alternative is not None:
        status, text = expectation.alternative
        if done.returncode == status and any(re.search(text, line) for line in reports):
            return None
    if not any(expectation.fits(line, schedule) for line in reports):
        place = f" at lines {expectation.lines}" if expectation.lines else ""
        return f"no report of /{expectation.text}/{place} {expectation.at or expectation.first or ''}"
    if done.returncode != expectation.status:
        return f"exit status {done.returncode}, expected {expectation.status}"
    if expectation.error is not None and f"cuda error {expectation.error}\n" not in done.stdout:
        return f"not the expected cuda error {expectation.error}"
    return None


def judge_good(done):
    if "vgpu: error:" in done.stderr:
        return "the correct twin is accused"
    return None if done.returncode == 0 else f"the correct twin ends with exit status {done.returncode}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("program")
    parser.add_argument("--library", required=True, help="the folder of libcudart.so.13")
    options = parser.parse_args()
    expectation = Expectation(options.source)
    failures = 0
    for schedule in SCHEDULES:
        for mode in ("bug", "good"):
            done = run(options.program, mode, options.library, expectation, schedule)
            problem = judge_bug(done, expectation, schedule) if mode == "bug" else judge_good(done)
            if problem is None:
                continue
            print(f"{mode}, {schedule}: {problem}\n{done.stdout}{done.stderr}")
            failures += 1
    if failures == 0:
        print(f"found under {len(SCHEDULES)} schedules; the correct twin is clean")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
