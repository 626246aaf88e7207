"""tools/demo.sh, cut short: builds (nothing, when the build is up to date), trains five steps, evaluates, prints the report's
path. Only from a release build, which is the one that the script uses."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from support import BIN, SOURCE  # noqa: E402


class Demo(unittest.TestCase):
    def test_short_demo(self):
        with tempfile.TemporaryDirectory() as temp:
            out = Path(temp) / "demo"
            result = subprocess.run([SOURCE / "tools/demo.sh", "--out", out, "--steps", "5"], capture_output=True,
                                    text=True, check=False, timeout=900)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            report = re.search(r"^demo: report: (.*)$", result.stdout, re.MULTILINE)
            self.assertIsNotNone(report, result.stdout)
            self.assertEqual(Path(report.group(1)), out / "report.html")
            page = (out / "report.html").read_text(encoding="utf-8")
            self.assertGreater(page.count("data:image/jpeg;base64,"), 30)
            self.assertTrue((out / "held-out" / "predictions.json").is_file())


if __name__ == "__main__":
    if BIN.resolve() != (SOURCE / "build/release/bin").resolve():
        print("SKIPPED: tools/demo.sh uses build/release, and this is another build")
        sys.exit(77)
    os.chdir(tempfile.gettempdir())
    unittest.main()
