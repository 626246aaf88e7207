"""What the virtual GPU counts while kernels_cuda_tests runs one hidden test case, and what a kernel may cost.

A case tagged [.count] in tests/kernels_cuda/ launches a kernel once on a shape that fills it. A table beside this file,
cuda_counters_<op>.py, says in TABLE what each launch may move; test_cuda_counters.py finds the tables by their names.
Counters depend on the program alone, not on the machine."""

import collections
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import re
import subprocess
import tempfile

from support import BIN, LIMIT

PROGRAM = BIN.parent / "tests/kernels_cuda_tests"
LIBRARY = BIN.parent / "vgpu"
SECTOR = 32  # bytes
FLOAT = 4  # bytes
# An access to shared memory in PTX: cp.async's width in bytes, or the floats of a vector.
ASYNC_COPY = re.compile(r"cp\.async\.c[ag]\.shared\.global .*?\], (\d+)")
SHARED_ACCESS = re.compile(r"(?:ld|st)\.shared(?:\.v(\d))?")


def skip_reason():
    """Why nothing can be counted in this build; empty where it can."""
    return "" if PROGRAM.is_file() else "this build has no CUDA kernels and tests to count"


@functools.lru_cache(maxsize=None)
def kernels_of(case):
    """The JSON objects (tools/vgpu/check/counter_output.cpp) of the kernels that a test case launches, which must pass."""
    with tempfile.TemporaryDirectory(prefix="cpm-count-") as folder:
        file = pathlib.Path(folder) / "counters.json"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VGPU_")}
        environment.update(LD_LIBRARY_PATH=str(LIBRARY), VGPU_COUNT=str(file))
        done = subprocess.run([str(PROGRAM), case], env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
        with contextlib.suppress(FileNotFoundError):
            if done.returncode == 0:
                return json.loads(file.read_text(encoding="utf-8"))["kernels"]
    raise AssertionError(f"test case {case!r}: exit code {done.returncode}, or nothing counted\n{done.stdout}{done.stderr}")


def quotient(a, b):
    return a / b if b else 0.0


class Counters:
    """The sums over the kernels of a test case whose demangled name the pattern finds; empty: all of them."""

    def __init__(self, case, pattern=""):
        found = kernels_of(case)
        self.kernels = [kernel for kernel in found if re.search(pattern, kernel["name"])]
        if not self.kernels:
            raise AssertionError(f"test case {case!r}: none of these kernels is {pattern!r}: {[k['name'] for k in found]}")
        self.sums = collections.Counter()
        for kernel in self.kernels:
            self.sums.update({key: value for key, value in kernel.items() if isinstance(value, int)})
            for space, numbers in (*kernel["memory"].items(), ("mix", kernel["mix"]), ("flops", kernel["flops"])):
                self.sums.update({f"{space}.{key}": value for key, value in numbers.items() if isinstance(value, int)})

    def __getitem__(self, name):
        """A sum by its JSON name ("launches", "global.load_requests", "mix.barrier") or a figure of the properties below."""
        return getattr(self, name) if name in FIGURES else self.sums[name]

    @property
    def bytes_loaded(self):
        """Global memory, whole sectors, no cache: what all requests of all warps ask for."""
        return SECTOR * self.sums["global.load_sectors"]

    @property
    def bytes_stored(self):
        return SECTOR * self.sums["global.store_sectors"]

    @property
    def bytes_moved(self):
        return self.bytes_loaded + self.bytes_stored + SECTOR * self.sums["global.atomic_sectors"]

    @property
    def sectors_per_load(self):
        """4 is perfect for 4-byte accesses, 16 for 16-byte ones."""
        return quotient(self.sums["global.load_sectors"], self.sums["global.load_requests"])

    @property
    def sectors_per_store(self):
        return quotient(self.sums["global.store_sectors"], self.sums["global.store_requests"])

    @property
    def shared_passes_per_load(self):
        """1 without bank conflicts for 4-byte accesses, 4 for 16-byte ones."""
        return quotient(self.sums["shared.load_passes"], self.sums["shared.load_requests"])

    @property
    def shared_passes_per_store(self):
        return quotient(self.sums["shared.store_passes"], self.sums["shared.store_requests"])

    def sectors_per_copy(self, width):
        """Of the asynchronous copies of `width` bytes a lane that read global memory, not of those that write zeros."""
        found = [i for i in self.instructions() if i["sectors"] and (copy := ASYNC_COPY.match(i["text"])) and int(copy[1]) == width]
        return quotient(sum(i["sectors"] for i in found), sum(i["executed"] for i in found))

    @property
    def sectors_per_4_byte_copy(self):
        """4 is perfect for a full warp."""
        return self.sectors_per_copy(4)

    @property
    def sectors_per_16_byte_copy(self):
        """16 is perfect for a full warp."""
        return self.sectors_per_copy(16)

    @property
    def bank_conflicts(self):
        """Passes over shared memory beyond those that accesses of their width need, one a word; by instruction, so that
        one which needs fewer (lanes that share an address) hides no other's."""
        conflicts = 0
        for i in self.instructions():
            words = 0
            if copy := ASYNC_COPY.match(i["text"]):
                words = int(copy[1]) // FLOAT
            elif access := SHARED_ACCESS.match(i["text"]):
                words = int(access[1] or 1)
            conflicts += max(0, i["passes"] - words * i["executed"]) if words else 0
        return conflicts

    def instructions(self):
        return (instruction for kernel in self.kernels for instruction in kernel["instructions"])

    @property
    def lanes_per_instruction(self):
        return quotient(self.sums["lane_instructions"], self.sums["warp_instructions"])


FIGURES = {name for name, member in vars(Counters).items() if isinstance(member, property)}


@dataclasses.dataclass(frozen=True)
class Expect:
    """What a test case may cost. `bytes`: that must move (each input read once, each output written once); the kernels
    may move `within` times as many. `equal` and `at_most`: other figures of Counters, by name."""

    case: str
    kernel: str = ""
    bytes: int = 0
    within: float = 1.05
    launches: int = 1
    equal: dict = dataclasses.field(default_factory=dict)
    at_most: dict = dataclasses.field(default_factory=dict)

    def figures(self):
        """A line for people: what the kernels of this row moved, and how."""
        counters = Counters(self.case, self.kernel)
        parts = [f"{self.case.removeprefix('count ')}: {self.kernel or 'all kernels'}"]
        if self.bytes:
            parts.append(f"{counters.bytes_moved / self.bytes:.3f} of the bytes that must move (at most {self.within})")
        parts.append(f"sectors a load {counters.sectors_per_load:.2f}, a store {counters.sectors_per_store:.2f}, "
                     f"a copy of 4 bytes {counters.sectors_per_4_byte_copy:.2f}, of 16 {counters.sectors_per_16_byte_copy:.2f}")
        parts.append(f"passes a shared load {counters.shared_passes_per_load:.2f}, bank conflicts {counters.bank_conflicts}")
        return "; ".join(parts)

    def check(self, test):
        counters = Counters(self.case, self.kernel)
        test.assertEqual(counters["launches"], self.launches, self)
        if self.bytes:
            ratio = counters.bytes_moved / self.bytes
            test.assertGreaterEqual(ratio, 1, f"{self.case}: `bytes` names more than moves")
            test.assertLessEqual(ratio, self.within, f"{self.case}: {counters.bytes_moved} bytes for {self.bytes}")
        for name, value in self.equal.items():
            test.assertEqual(counters[name], value, f"{self.case}: {name}")
        for name, value in self.at_most.items():
            test.assertLessEqual(counters[name], value, f"{self.case}: {name}")
