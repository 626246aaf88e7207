#!/usr/bin/env python3
"""Compiles every CUDA kernel (kernels/*/cuda*.cu) to machine code and fails where ptxas spills registers; where nvdisasm is
found, also where too little of the loop that computes in a convolution kernel is multiply-adds.

The loop is the smallest one that holds half of a kernel's FFMA instructions, less loops inside it without any (copies into
shared memory, which run in few of its rounds); its share counts the rest as it stands.

usage: tools/sass_check.py [--all] [--jobs N]   (sm_80, 90, 120; --all: sm_75, 80, 86, 89, 90, 100, 120)
nvdisasm is looked for in PATH, beside nvcc, and among Python's packages (pip install nvidia-cuda-nvdisasm).
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent
SHORT, ALL = (80, 90, 120), (75, 80, 86, 89, 90, 100, 120)
LEAST_SHARE = 0.75
COMPUTES = re.compile(r"conv_(direct_correlate|direct_wgrad|gemm)")

ENTRY = re.compile(r"Compiling entry function '(\w+)'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")
LABEL = re.compile(r"^(\.L_x_\d+):")
INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)(.*);")
BRANCH_TO = re.compile(r"`\((\.L_x_\d+)\)")


def find_nvdisasm(nvcc):
    places = [pathlib.Path(nvcc).resolve().parent]
    places += sorted(found for folder in sys.path if folder for found in pathlib.Path(folder).glob("nvidia/*/bin"))
    return shutil.which("nvdisasm") or shutil.which("nvdisasm", path=os.pathsep.join(map(str, places)))


def parse_ptxas(text):
    """{kernel: {"stack", "stores", "loads", "registers"}} of ptxas -v."""
    kernels, current = {}, None
    for line in text.splitlines():
        if found := ENTRY.search(line):
            current = kernels.setdefault(found[1], {})
        elif current is not None and (found := SPILLS.search(line)):
            current.update(zip(("stack", "stores", "loads"), map(int, found.groups())))
        elif current is not None and (found := REGISTERS.search(line)):
            current["registers"] = int(found[1])
    return kernels


def parse_sass(text):
    """{kernel: list of (opcode, operands)} of nvdisasm, and {label: index} beside them."""
    kernels, current = {}, None
    for line in text.splitlines():
        if line.startswith(".text."):
            current = kernels.setdefault(line[len(".text."):].rstrip(":"), ([], {}))
        elif current is None:
            continue
        elif found := LABEL.match(line):
            current[1][found[1]] = len(current[0])
        elif found := INSTRUCTION.match(line):
            current[0].append((found[1], found[2]))
    return kernels


def computing_loop(instructions, labels):
    """(FFMA, all) instructions of the smallest loop with half of the FFMAs, less the loops in it that have none; None where
    there is no such loop."""
    ffma = [opcode.split(".")[0] == "FFMA" for opcode, _ in instructions]
    loops = []
    for end, (opcode, operands) in enumerate(instructions):
        target = BRANCH_TO.search(operands) if opcode.startswith("BRA") else None
        if target and labels.get(target[1], end + 1) <= end:
            loops.append(range(labels[target[1]], end + 1))
    computing = [loop for loop in loops if 2 * sum(ffma[i] for i in loop) >= sum(ffma) > 0]
    if not computing:
        return None
    best = min(computing, key=len)
    copies = {i for loop in loops if loop[0] >= best[0] and loop[-1] <= best[-1] and not any(ffma[i] for i in loop)
              for i in loop}
    return sum(ffma[i] for i in best), len(set(best) - copies)


def check_file(nvcc, nvdisasm, source, arch):
    """(findings, lines of figures) of one source for one architecture."""
    findings, figures = [], []
    with tempfile.TemporaryDirectory(prefix="cpm-sass-") as folder:
        cubin = pathlib.Path(folder) / "kernels.cubin"
        command = [nvcc, "-std=c++20", "-O3", f"-I{SOURCE}", "-cubin", f"-arch=sm_{arch}", "-Xptxas", "-v",
                   str(source), "-o", str(cubin)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        name = f"{source.relative_to(SOURCE)} sm_{arch}"
        if done.returncode != 0:
            return [f"{name}: does not compile\n{done.stderr}"], []
        kernels = parse_ptxas(done.stderr)
        sass = {}
        if nvdisasm and any(COMPUTES.search(kernel) for kernel in kernels):
            sass = parse_sass(subprocess.run([nvdisasm, "-c", str(cubin)], capture_output=True, text=True, check=True).stdout)
    for kernel, numbers in kernels.items():
        if numbers.get("stores", 0) or numbers.get("loads", 0):
            findings.append(f"{name}: {kernel} spills: {numbers}")
        if not COMPUTES.search(kernel):
            continue
        loop = computing_loop(*sass[kernel]) if kernel in sass else None
        share = loop[0] / loop[1] if loop else 0.0
        if sass and share < LEAST_SHARE:
            findings.append(f"{name}: {kernel}: {100 * share:.0f} % of its loop are multiply-adds: {loop}")
        text = f", FFMA {loop[0]} of {loop[1]} = {100 * share:.1f} %" if loop else ""
        figures.append(f"{name}: {kernel}: {numbers['registers']} registers{text}")
    return findings, figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every architecture that the kernels are meant for")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    nvcc = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
    if nvcc is None:
        print("SKIPPED: no nvcc")
        return 77
    nvdisasm = find_nvdisasm(nvcc)
    print(f"nvdisasm: {nvdisasm or 'not found: spills are checked, shares of multiply-adds are not'}", flush=True)
    sources = sorted(SOURCE.glob("kernels/*/cuda*.cu"))
    work = [(nvcc, nvdisasm, source, arch) for source in sources for arch in (ALL if options.all else SHORT)]
    findings = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for found, figures in pool.map(lambda item: check_file(*item), work):
            findings += found
            for line in figures:
                print(line, flush=True)
    for line in findings:
        print(f"FOUND {line}")
    print(f"sass_check: {len(work)} compilations, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
