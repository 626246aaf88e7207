"""tools/sass_check.py reads what ptxas and nvdisasm print, and finds the loop that computes."""

import os
import pathlib
import re
import sys
import unittest

SOURCE = pathlib.Path(os.environ.get("CPM_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(SOURCE / "tools"))
import sass_check  # noqa: E402

PTXAS = """\
ptxas info    : Compiling entry function '_Z4fastPf' for 'sm_90'
ptxas info    : Function properties for _Z4fastPf
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 121 registers, used 1 barriers
ptxas info    : Compiling entry function '_Z4slowPf' for 'sm_90'
ptxas info    : Function properties for _Z4slowPf
    16 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers
"""


def listing(lines):
    """nvdisasm's print of a kernel: labels as they are, "opcode operands" as instructions."""
    text = ".text.kernel:\n"
    for i, line in enumerate(lines):
        text += f"{line}:\n" if line.startswith(".L") else f"        /*{16 * i:04x}*/                   {line} ;\n"
    return text


class SassCheck(unittest.TestCase):
    def loop(self, *lines):
        return sass_check.computing_loop(*sass_check.parse_sass(listing(lines))["kernel"])

    def test_ptxas(self):
        kernels = sass_check.parse_ptxas(PTXAS)
        self.assertEqual(kernels["_Z4fastPf"], {"stack": 0, "stores": 0, "loads": 0, "registers": 121})
        self.assertEqual(kernels["_Z4slowPf"], {"stack": 16, "stores": 12, "loads": 20, "registers": 32})

    def test_options_of_the_build(self):
        """Sources are compiled as CMakeLists.txt has them compiled."""
        text = 'set_source_files_properties(a/b.cu c/d.cu PROPERTIES COMPILE_OPTIONS "-x;-y=1")'
        self.assertEqual(sass_check.own_options(text), {"a/b.cu": ["-x", "-y=1"], "c/d.cu": ["-x", "-y=1"]})
        cmake = (SOURCE / "CMakeLists.txt").read_text(encoding="utf-8")
        options = sass_check.own_options(cmake)
        self.assertEqual(options["kernels/optim/cuda.cu"], ["-fmad=false"])
        self.assertEqual(len(options), len(re.findall(r"\.cu\b(?=[^()]*COMPILE_OPTIONS)", cmake)))
        for source in options:
            self.assertTrue((SOURCE / source).is_file(), source)

    def test_names(self):
        symbol = "_ZN7kernels12_GLOBAL__N_19conv_gemmILb0ELb1EEEvi"
        self.assertEqual(sass_check.readable([symbol, "_Z4fastPf"]), {symbol: "conv_gemm<false, true>", "_Z4fastPf": "fast"})

    def test_smallest_loop_with_half_of_the_multiply_adds(self):
        inner = [".L_x_1", "FFMA R1, R2, R3, R1", "FFMA.FTZ R1, R2, R3, R1", "LDS R2, [R3]", "@P0 BRA `(.L_x_1)"]
        self.assertEqual(self.loop(".L_x_0", "IADD3 R1, R1, 0x1, RZ", *inner, "@!P1 BRA `(.L_x_0)", "EXIT"), (2, 4))

    def test_loops_inside_that_copy_do_not_count(self):
        copies = [".L_x_1", "LDGSTS [R1], [R2]", "IADD3 R1, R1, 0x1, RZ", "@P0 BRA `(.L_x_1)"]
        self.assertEqual(self.loop(".L_x_0", *copies, "FFMA R1, R2, R3, R1", "@P1 BRA `(.L_x_0)"), (1, 2))

    def test_no_loop(self):
        self.assertIsNone(self.loop("FFMA R1, R2, R3, R1", "BRA `(.L_x_9)", ".L_x_9", "EXIT"))


if __name__ == "__main__":
    unittest.main()
