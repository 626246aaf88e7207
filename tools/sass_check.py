#!/usr/bin/env python3
"""Compiles the CUDA kernels (kernels/*/cuda*.cu) to machine code and checks it:
spills          ptxas spills no register of any kernel
multiply_adds   the loop that computes in a convolution kernel is multiply-adds for the most part; needs nvdisasm

The loop is the smallest one that holds half of a kernel's FFMA instructions, less loops inside it without any (copies into
shared memory, which run in few of its rounds); its share counts the rest as it stands.

usage: tools/sass_check.py [--check spills|multiply_adds] [--all] [--jobs N]
(sm_80, 90, 120; --all: sm_75, 80, 86, 89, 90, 100, 120. Without --check both; multiply_adds is left out, and that said, where
there is no nvdisasm.) Exits with 1 on findings, 77 where what was asked for cannot be checked.
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
COMPUTES = re.compile(r"\bconv_(direct_correlate|direct_wgrad|gemm)\b")

ENTRY = re.compile(r"Compiling entry function '(\w+)'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")
LABEL = re.compile(r"^(\.L_x_\d+):")
INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)(.*);")
# CMakeLists.txt's line for sources with options of their own.
OWN_OPTIONS = re.compile(r'set_source_files_properties\(([^()"]*\.cu) PROPERTIES COMPILE_OPTIONS "([^"$]*)"\)')
BRANCH_TO = re.compile(r"`\((\.L_x_\d+)\)")


def find_nvdisasm(nvcc):
    places = [pathlib.Path(nvcc).resolve().parent]
    places += sorted(found for folder in sys.path if folder for found in pathlib.Path(folder).glob("nvidia/*/bin"))
    return shutil.which("nvdisasm") or shutil.which("nvdisasm", path=os.pathsep.join(map(str, places)))


def readable(mangled):
    """{symbol: name without namespaces and arguments}, as conv_direct_wgrad<9>."""
    names = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True).stdout
    return {symbol: re.sub(r"\(anonymous namespace\)::|\b(kernels|cuda)::|^void ", "", name).split("(")[0]
            for symbol, name in zip(mangled, names.splitlines())}


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


def own_options(cmake):
    """{source, as CMakeLists.txt names it: options it is built with beside everyone's}."""
    return {source: options.split(";") for sources, options in OWN_OPTIONS.findall(cmake) for source in sources.split()}


def compiled(nvcc, nvdisasm, source, arch):
    """({kernel: numbers of ptxas}, {kernel: instructions and labels}) of a source; the second empty without nvdisasm."""
    with tempfile.TemporaryDirectory(prefix="cpm-sass-") as folder:
        cubin = pathlib.Path(folder) / "kernels.cubin"
        own = own_options((SOURCE / "CMakeLists.txt").read_text(encoding="utf-8"))
        command = [nvcc, "-std=c++20", "-O3", *own.get(str(source.relative_to(SOURCE)), []), f"-I{SOURCE}", "-cubin",
                   f"-arch=sm_{arch}", "-Xptxas", "-v", str(source), "-o", str(cubin)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"does not compile\n{done.stderr}")
        sass = {}
        if nvdisasm:
            sass = parse_sass(subprocess.run([nvdisasm, "-c", str(cubin)], capture_output=True, text=True, check=True).stdout)
        return parse_ptxas(done.stderr), sass


def check_file(nvcc, nvdisasm, source, arch):
    """(findings, lines of figures) of one source for one architecture; without nvdisasm of spills alone."""
    findings, figures = [], []
    place = f"{source.relative_to(SOURCE)} sm_{arch}"
    try:
        kernels, sass = compiled(nvcc, nvdisasm if has_loops(source) else None, source, arch)
    except RuntimeError as error:
        return [f"{place}: {error}"], []
    names = readable(list(kernels))
    for kernel, numbers in kernels.items():
        name = f"{place}: {names[kernel]}"
        spilled = numbers.get("stores", 0) + numbers.get("loads", 0)
        if spilled:
            findings.append(f"{name} spills: {numbers}")
        text = f"{numbers['registers']} registers, {spilled} bytes spilled"
        if kernel in sass and COMPUTES.search(names[kernel]):
            loop = computing_loop(*sass[kernel]) or (0, 1)
            share = loop[0] / loop[1]
            text += f", {loop[0]} of {loop[1]} instructions multiply-adds: {100 * share:.1f} %"
            if share < LEAST_SHARE:
                findings.append(f"{name}: {100 * share:.1f} % of its loop are multiply-adds: {loop}")
        figures.append(f"{name}: {text}")
    return findings, figures


def has_loops(source):
    return bool(COMPUTES.search(source.read_text(encoding="utf-8")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", choices=("spills", "multiply_adds"))
    parser.add_argument("--all", action="store_true", help="every architecture that the kernels are meant for")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--nvcc", default=shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc"))
    options = parser.parse_args()
    if options.nvcc is None:
        print("SKIPPED: no nvcc")
        return 77
    nvdisasm = find_nvdisasm(options.nvcc) if options.check != "spills" else None
    if options.check == "multiply_adds" and nvdisasm is None:
        print("SKIPPED: no nvdisasm (pip install nvidia-cuda-nvdisasm)")
        return 77
    if options.check is None and nvdisasm is None:
        print("no nvdisasm: spills are checked, multiply-adds are not", flush=True)
    sources = sorted(SOURCE.glob("kernels/*/cuda*.cu"))
    if options.check == "multiply_adds":
        sources = [source for source in sources if has_loops(source)]
    work = [(options.nvcc, nvdisasm, source, arch) for source in sources for arch in (ALL if options.all else SHORT)]
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
