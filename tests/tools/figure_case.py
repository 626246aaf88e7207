"""What the tests of tools/figure5.sh and tools/figure6.sh share. The scripts use the release build, so only from there."""

import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

from support import BIN, SOURCE, Case

SVG = "{http://www.w3.org/2000/svg}"
# So small that a training takes a second.
TINY_FIGURE = ("--data", "synthetic:12", "--val", "synthetic:4", "--batch", "2", "--set", "model.width=0.03",
               "--set", "data.input=64")


class FigureCase(Case):
    figure = ""

    def script(self, *arguments, code=0):
        result = subprocess.run([SOURCE / f"tools/{self.figure}.sh", *arguments], capture_output=True, text=True, check=False,
                                timeout=1200)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def interrupt(self, run, step=None):
        """Makes a finished training one that was interrupted behind the checkpoint of that step, or at its end."""
        (run / "weights.safetensors").unlink()
        (run / "status.json").write_text('{"state": "interrupted"}', encoding="utf-8")
        for path in (run / "ckpt").glob("step-*.ckpt"):
            if step is not None and int(path.stem[5:]) > step:
                path.unlink()

    def svg(self, path):
        return xml.etree.ElementTree.parse(path).getroot()

    def check_mistakes(self, *more):
        """Command lines that the script refuses, with one line."""
        for arguments in (("--out",), ("--val", "synthetic:4"), ("--data", "synthetic:4"), *more):
            result = self.script(*arguments, code=64)
            self.assertEqual(result.stderr.count("\n"), 1)
            self.assertRegex(result.stderr, r"^error: --\w+: .* \| expected: ")


def figure_main():
    if BIN.resolve() != (SOURCE / "build/release/bin").resolve():
        print("SKIPPED: the script uses build/release, and this is another build")
        sys.exit(77)
    os.chdir(tempfile.gettempdir())
    unittest.main()
