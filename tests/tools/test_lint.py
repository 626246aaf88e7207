"""tools/lint.py finds each violation in a small tree made for it, accepts what is allowed, and finds nothing here."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("CPM_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
LINT = SOURCE / "tools" / "lint.py"

# Spelt apart, because lint.py reads this file too.
REMINDER = "TO" + "DO"
MACHINE_PATH = "/ho" + "me/someone/data"


def lint(root, *flags, path=os.environ["PATH"]):
    """(exit code, findings) of lint.py on a tree."""
    result = subprocess.run([sys.executable, str(LINT), "--root", str(root), *flags], capture_output=True, text=True,
                            env={**os.environ, "PATH": path})
    return result.returncode, result.stdout.splitlines()


def function(lines):
    """The source of a function of so many lines."""
    return "int f(int x) {\n" + "  x += 1;\n" * (lines - 3) + "  return x;\n}\n"


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for header in ("kernels/base/a.h", "kernels/relu/relu.h", "kernels/pool/pool.h", "engine/tensor/t.h",
                       "engine/ops/ops.h", "engine/nn/n.h", "engine/io/i.h", "cpm/c.h", "cpm/dataset/d.h",
                       "tools/cli.h", "tests/support/s.h"):
            self.write(header, "#pragma once\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def expect(self, *findings):
        """Exactly these findings, each given by its FILE:LINE and a part of its message."""
        code, lines = lint(self.root)
        self.assertEqual(len(lines), len(findings), lines)
        for line, (place, message) in zip(sorted(lines), sorted(findings)):
            self.assertTrue(line.startswith(place + ": ") and message in line, f"{line!r} is not {place}: {message}")
        self.assertEqual(code, 1 if findings else 0)

    def test_names_that_cmake_would_tear(self):
        self.write("tests/cpm/a_test.cpp", 'TEST_CASE("in [0, 1)") {}\nTEST_CASE("one; two") {}\nTEST_CASE("fine", "[tag]") {}\n')
        self.expect(("tests/cpm/a_test.cpp:1", "test name"), ("tests/cpm/a_test.cpp:2", "test name"))

    def test_islands(self):
        self.write("tools/vgpu/core/a.h", "#pragma once\n")
        self.write("tools/vgpu/core/a.cpp", '#include "core/a.h"\n')
        self.write("tools/vgpu/ops/b.cpp", '#include "core/a.h"\n#include "kernels/base/a.h"\n')
        self.write("tools/vgpu/ops/b.h", "#pragma once\n")
        self.write("tools/a.cpp", '#include "tools/vgpu/core/a.h"\n')
        self.expect(("tools/vgpu/ops/b.cpp:1", "own header first: ops/b.h"),
                    ("tools/vgpu/ops/b.cpp:2", "include from tools/vgpu"), ("tools/a.cpp:1", "project of its own"))

    def test_allowed_includes(self):
        self.write("kernels/relu/cpu.cpp", '#include "kernels/relu/relu.h"\n\n#include <vector>\n#include "kernels/base/a.h"\n')
        self.write("engine/ops/relu.cpp", '#include "engine/ops/ops.h"\n#include "kernels/pool/pool.h"\n')
        self.write("engine/nn/n.cpp", '#include "engine/nn/n.h"\n#include "engine/io/i.h"\n#include "engine/ops/ops.h"\n')
        self.write("cpm/c.cpp", '#include "cpm/c.h"\n#include "cpm/dataset/d.h"\n#include "engine/nn/n.h"\n')
        self.write("tools/cpm_x.cpp", '#include "cpm/c.h"\n#include "tools/cli.h"\n')
        self.write("tests/cpm/c_test.cpp", '#include "cpm/c.h"\n#include "tests/support/s.h"\n#include "tools/cli.h"\n')
        self.expect()

    def test_layers(self):
        self.write("kernels/base/a.cpp", '#include "kernels/base/a.h"\n#include "kernels/relu/relu.h"\n')
        self.write("kernels/relu/cpu.cpp", '#include "engine/tensor/t.h"\n')
        self.write("engine/tensor/t.cpp", '#include "engine/tensor/t.h"\n\n#include "engine/ops/ops.h"\n')
        self.write("engine/io/x.cpp", '#include "cpm/c.h"\n')
        self.write("cpm/x.cpp", '#include "tools/cli.h"\n')
        self.write("tools/x.cpp", '#include "tests/support/s.h"\n')
        self.expect(("kernels/base/a.cpp:2", "kernels/base may not include kernels/relu"),
                    ("kernels/relu/cpu.cpp:1", "kernels/relu may not include engine/tensor"),
                    ("engine/tensor/t.cpp:3", "engine/tensor may not include engine/ops"),
                    ("engine/io/x.cpp:1", "engine/io may not include cpm"),
                    ("cpm/x.cpp:1", "cpm may not include tools"),
                    ("tools/x.cpp:1", "tests may not be included"))

    def test_ops_do_not_include_each_other(self):
        self.write("kernels/relu/cpu.cpp", '#include "kernels/pool/pool.h"\n')
        self.expect(("kernels/relu/cpu.cpp:1", "one op's folder never includes another's"))

    def test_own_header_first(self):
        self.write("engine/io/i.cpp", '#include "engine/tensor/t.h"\n#include "engine/io/i.h"\n')
        self.write("engine/nn/n.cpp", "int f();\n")
        self.expect(("engine/io/i.cpp:1", "own header first: engine/io/i.h"),
                    ("engine/nn/n.cpp:1", "own header first: engine/nn/n.h"))

    def test_include_paths(self):
        self.write("engine/io/x.cpp", '#include "i.h"\n#include <engine/io/i.h>\n')
        self.expect(("engine/io/x.cpp:1", "include from the repository root"),
                    ("engine/io/x.cpp:2", "project headers go in quotes"))

    def test_headers(self):
        self.write("cpm/c.h", "int f();\n")
        self.write("cpm/dataset/d.h", "#pragma once\nusing namespace std;\n")
        self.write("cpm/x.cpp", "using namespace std;\n")
        self.expect(("cpm/c.h:1", "without #pragma once"), ("cpm/dataset/d.h:2", "using namespace in a header"))

    def test_device_code(self):
        self.write("kernels/relu/cuda.cu", '#include "kernels/relu/relu.h"\n')
        self.write("tools/vgpu/tests/t.cu", "int a;\n")
        self.write("engine/ops/x.cu", "int a;\n")
        self.write("tools/x.cuh", "#pragma once\n")
        self.expect(("engine/ops/x.cu:1", "device code lives under kernels/"),
                    ("tools/x.cuh:1", "device code lives under kernels/"))

    def test_file_sizes(self):
        self.write("cpm/c.h", "#pragma once\n" + "int f();\n" * 149)
        self.write("cpm/dataset/d.h", "#pragma once\n" + "int f();\n" * 150)
        self.write("cpm/a.cpp", "int f();\n" * 400)
        self.write("cpm/b.cpp", "int f();\n" * 401)
        self.expect(("cpm/dataset/d.h:151", "151 lines, at most 150"), ("cpm/b.cpp:401", "401 lines, at most 400"))

    def test_function_sizes(self):
        self.write("cpm/a.cpp", function(60) + "\n" + function(61))
        self.write("kernels/relu/b.cpp", function(120) + "namespace kernels {\n" + function(121) + "}\n")
        # What only looks like a function: a type, a table, braces in strings and comments.
        self.write("cpm/b.cpp", "struct A {\n" + "  int f();\n" * 70 + "};\n"
                   "const int kTable[] = {\n" + "  1,\n" * 70 + "};\n"
                   'int g(int x) {\n  const char* brace = "{";  // {\n  return brace[0] + x;\n}\n' + function(60))
        self.expect(("cpm/a.cpp:62", "function of 61 lines, at most 60"),
                    ("kernels/relu/b.cpp:122", "function of 121 lines, at most 120"))

    def test_text(self):
        self.write("cpm/a.cpp", "int a;\t// b\n")
        self.write("docs/a.md", f"one\n{REMINDER}: two\n")
        self.write("tools/a.sh", f"cat {MACHINE_PATH}\ncat build{MACHINE_PATH}\n")
        self.expect(("cpm/a.cpp:1", "tab"), ("docs/a.md:2", REMINDER), ("tools/a.sh:1", "path of one machine"))

    def test_format(self):
        """With a stand-in for clang-format, so that the test needs none; CI runs the real one on everything."""
        self.write("cpm/a.cpp", "int  a;\n")
        tool = self.root / "bin" / "clang-format-14"
        self.write("bin/clang-format-14", '#!/bin/sh\necho "$@" >"$0.arguments"\n'
                   'echo "cpm/a.cpp:1:4: error: code should be clang-formatted" >&2\nexit 1\n')
        tool.chmod(0o755)
        self.assertEqual(lint(self.root, "--format", path=f"{tool.parent}{os.pathsep}{os.environ['PATH']}"),
                         (1, ["cpm/a.cpp:1: layout differs from clang-format's (clang-format-14 -i mends it)"]))
        arguments = tool.with_suffix(".arguments").read_text(encoding="utf-8").split()
        self.assertEqual(arguments[:2], ["--dry-run", "-Werror"])
        self.assertIn("cpm/a.cpp", arguments)
        self.assertIn("kernels/base/a.h", arguments)

    def test_format_without_the_tool(self):
        self.assertEqual(lint(self.root, "--format", path=str(self.root)), (0, []))


class Repository(unittest.TestCase):
    def test_is_clean(self):
        code, lines = lint(SOURCE)
        self.assertEqual((code, lines), (0, []))


if __name__ == "__main__":
    unittest.main()
