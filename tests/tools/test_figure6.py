"""tools/figure6.sh and cpm-compare, cut short: every variant is trained, finished ones are kept, the pictures say what the
runs' own files say. The script uses the release build, so only from there."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from support import BIN, SOURCE, TINY, Case, read_csv, run  # noqa: E402

VARIANTS = ("joint", "stagewise", "joint-from-stagewise", "last-only")
FLAGS = ("--data", "synthetic:12", "--val", "synthetic:4", "--steps", "6", "--stages", "3", "--batch", "2",
         "--set", "model.width=0.03", "--set", "data.input=64", "--set", "train.val_every=2")
SVG = "{http://www.w3.org/2000/svg}"


class Figure6(Case):
    def script(self, *arguments, code=0):
        result = subprocess.run([SOURCE / "tools/figure6.sh", *arguments], capture_output=True, text=True, check=False,
                                timeout=1200)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def test_menu(self):
        out = self.folder / "figure 6"
        result = self.script("--out", out, *FLAGS)
        self.assertIn(f"figure6: pictures: {out}/compare.html", result.stdout)
        runs = {name: out / name for name in (*VARIANTS, "stages-1", "stages-2")}
        for name, folder in runs.items():
            self.assertEqual(len(read_csv(folder / "metrics.csv")[0]), 6, name)
        weights = {name: (folder / "weights.safetensors").read_bytes() for name, folder in runs.items()}
        self.assertEqual(len(set(weights.values())), len(runs))
        joint, start = (read_csv(out / name / "metrics.csv")[0][0] for name in ("joint", "joint-from-stagewise"))
        self.assertNotEqual(joint["loss"], start["loss"])  # other first weights
        last = read_csv(out / "last-only/metrics.csv")[0][0]
        self.assertEqual([last[f"loss_stage{t}"] for t in (1, 2, 3)], [joint[f"loss_stage{t}"] for t in (1, 2, 3)])
        self.check_pictures(out)

        # Again: nothing is trained; and an interrupted training alone goes on.
        (out / "stages-2/weights.safetensors").unlink()
        (out / "stages-2/status.json").write_text('{"state": "interrupted"}', encoding="utf-8")
        times = {name: (folder / "report.html").stat().st_mtime_ns for name, folder in runs.items()}
        self.script("--out", out, *FLAGS)
        for name, folder in runs.items():
            self.assertEqual((folder / "weights.safetensors").read_bytes(), weights[name])
            if name != "stages-2":
                self.assertEqual((folder / "report.html").stat().st_mtime_ns, times[name])
        # A folder of other trainings is not mixed with these.
        self.assertIn("another configuration", self.script("--out", out, *FLAGS, "--seed", "4", code=64).stderr)

    def check_pictures(self, out):
        lines = self.svg(out / "pck-steps.svg").findall(f"{SVG}polyline")
        self.assertEqual(len(lines), len(VARIANTS))
        for line in lines:
            self.assertEqual(len(line.get("points").split()), 3)  # steps 2, 4 and 6
        labels = [text.text for text in self.svg(out / "pck-steps.svg").iter(f"{SVG}text")]
        for name in VARIANTS:
            self.assertTrue(any(label.startswith(name + "  ") for label in labels), labels)
        line, = self.svg(out / "pck-stages.svg").findall(f"{SVG}polyline")
        self.assertEqual(len(line.get("points").split()), 3)
        page = (out / "compare.html").read_text(encoding="utf-8")
        self.assertNotRegex(page, "https?://")
        self.assertGreaterEqual(page.count("<svg"), 2)
        # The numbers are the runs' own.
        result = run("cpm-compare", *(out / name for name in VARIANTS), "--stages", out / "stages-1", "--json")
        comparison = self.json_of(result)
        for entry, name in zip(comparison["runs"] + comparison["by_stages"], (*VARIANTS, "stages-1"), strict=True):
            self.assertEqual((entry["run"], entry["stages"]), (name, 1 if name == "stages-1" else 3))
            self.assertEqual(entry["steps"], [2, 4, 6])
            kept = [json.loads((out / name / f"val/step-{step:08}/metrics.json").read_text(encoding="utf-8"))["mean"]
                    for step in entry["steps"]]
            self.assertEqual(entry["pck"], kept)
        table = self.ok("cpm-compare", out / "joint").out
        self.assertRegex(table, rf"joint +3 +6 +{comparison['runs'][0]['pck'][-1]:.3f}\n")

    def svg(self, path):
        return xml.etree.ElementTree.parse(path).getroot()

    def test_mistakes(self):
        for arguments in (("--stages", "2"), ("--stages",), ("--val", "synthetic:4"), ("--data", "synthetic:4")):
            result = self.script(*arguments, code=64)
            self.assertEqual(result.stderr.count("\n"), 1)
            self.assertRegex(result.stderr, r"^error: --\w+: .* \| expected: ")
        self.error(run("cpm-compare"), 64, "RUN", "expected: 1 to 6", "got: 0")
        self.error(run("cpm-compare", self.folder), 65, str(self.folder))
        never = self.folder / "never"
        self.ok("cpm-train", "--data", "synthetic:4", *TINY, "--steps", 1, "--out", never)
        self.error(run("cpm-compare", never, "--out", self.folder / "pictures"), 65, "never validated", "hint: ")
        self.assertFalse((self.folder / "pictures").exists())


if __name__ == "__main__":
    if BIN.resolve() != (SOURCE / "build/release/bin").resolve():
        print("SKIPPED: tools/figure6.sh uses build/release, and this is another build")
        sys.exit(77)
    os.chdir(tempfile.gettempdir())
    unittest.main()
