"""Every __global__ function of the CUDA libraries is executed by the tests of the CUDA kernels, on the virtual GPU. nvcc
leaves a host stub for each, __device_stub_<mangled name>, whose name nm lists (its own or its variables'); the virtual GPU's counters name what
ran."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from support import BIN, LIMIT

BUILD = BIN.parent
LIBRARIES = ("libkernels_cuda.a",)
PROGRAM = BUILD / "tests/kernels_cuda_tests"


def kernels_in(library):
    """Mangled names of the kernels in a static library."""
    text = subprocess.run(["nm", str(library)], capture_output=True, text=True, check=True).stdout
    names = set()
    for length, rest in re.findall(r"(\d+)(__device_stub__\S+)", text):
        names.add(rest[:int(length)].removeprefix("__device_stub_"))
    return names


def executed(program):
    with tempfile.TemporaryDirectory(prefix="cpm-symbols-") as folder:
        file = pathlib.Path(folder) / "counters.json"
        environment = {**os.environ, "LD_LIBRARY_PATH": str(BUILD / "vgpu"), "VGPU_COUNT": str(file)}
        subprocess.run([str(program)], env=environment, capture_output=True, timeout=LIMIT, check=True)
        return {kernel["mangled"] for kernel in json.loads(file.read_text(encoding="utf-8"))["kernels"]}


class Executed(unittest.TestCase):
    def test_every_kernel(self):
        found = set().union(*(kernels_in(BUILD / library) for library in LIBRARIES))
        self.assertGreater(len(found), 20)
        ran = executed(PROGRAM)
        self.assertEqual(sorted(found - ran), [], "compiled, but never executed by a test")
        self.assertEqual(sorted(ran - found), [], "executed, but in no library: how are kernels listed?")


if __name__ == "__main__":
    if not PROGRAM.is_file():
        print("SKIPPED: this build has no CUDA kernels")
        sys.exit(77)
    unittest.main()
