"""The build line of docs/gpu.md for all architectures: CMake takes it, and nvcc is given every one of them. Nothing is built."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from support import BIN, LIMIT, SOURCE

CACHE = BIN.parent / "CMakeCache.txt"
LINE = re.compile(r'-DCPM_CUDA_ARCHITECTURES="([^"]*)"')
GENERATE = re.compile(r"arch=compute_(\d+),code=\[?([a-z0-9_,]+)\]?")


def nvcc_of_this_build():
    found = CACHE.is_file() and re.search(r"^CUDAToolkit_NVCC_EXECUTABLE:\w+=(.+)$", CACHE.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found and pathlib.Path(found[1]).is_file() else None


class Architectures(unittest.TestCase):
    def test_line_of_the_documentation(self):
        (wanted,) = set(LINE.findall((SOURCE / "docs/gpu.md").read_text(encoding="utf-8")))
        numbers = re.findall(r"\d+", wanted)
        self.assertEqual(len(numbers), 7)
        with tempfile.TemporaryDirectory(prefix="cpm-architectures-") as folder:
            done = subprocess.run(["cmake", "-S", str(SOURCE), "-B", folder, "-DCPM_CUDA=ON", "-DCPM_BUILD_TESTS=OFF",
                                   f"-DCPM_CUDA_ARCHITECTURES={wanted}", f"-DCUDAToolkit_NVCC_EXECUTABLE={nvcc_of_this_build()}"],
                                  capture_output=True, text=True, timeout=LIMIT, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            commands = json.loads((pathlib.Path(folder) / "compile_commands.json").read_text(encoding="utf-8"))
        sources = {os.path.relpath(entry["file"], SOURCE): entry["command"] for entry in commands if entry["file"].endswith(".cu")}
        self.assertEqual(sorted(sources), sorted(str(path.relative_to(SOURCE)) for path in SOURCE.glob("kernels/*/cuda*.cu")))
        for source, command in sources.items():
            made = sorted((arch, code) for arch, codes in GENERATE.findall(command) for code in codes.split(","))
            self.assertEqual(made, sorted([(n, f"sm_{n}") for n in numbers] + [(numbers[-1], f"compute_{numbers[-1]}")]), source)


if __name__ == "__main__":
    if nvcc_of_this_build() is None:
        print("SKIPPED: this build has no CUDA backend")
        sys.exit(77)
    unittest.main()
