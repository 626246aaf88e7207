"""What CUDA kernels cost, counted on the virtual GPU: the tables of cuda_counters_<op>.py (see vgpu_counters.py).
With `--figures OP` the counts of one table are printed, and nothing is tested."""

import importlib
import sys
import unittest
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))
import vgpu_counters  # noqa: E402

TABLES = sorted(file.stem for file in FOLDER.glob("cuda_counters_*.py"))


class CudaCounters(unittest.TestCase):
    def test_tables(self):
        for table in TABLES:
            for expect in importlib.import_module(table).TABLE:
                with self.subTest(f"{table}: {expect.case} {expect.kernel}"):
                    expect.check(self)


if __name__ == "__main__":
    reason = vgpu_counters.skip_reason()
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    if sys.argv[1:2] == ["--figures"]:
        for row in importlib.import_module(f"cuda_counters_{sys.argv[2]}").TABLE:
            print(row.figures())
    else:
        unittest.main()
