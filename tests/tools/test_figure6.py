"""tools/figure6.sh and cpm-compare, cut short: every variant is trained, finished ones are kept, the pictures say what the
runs' own files say."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from figure_case import SVG, TINY_FIGURE, FigureCase, figure_main  # noqa: E402
from support import TINY, read_csv, run  # noqa: E402

VARIANTS = ("joint", "stagewise", "joint-from-stagewise", "last-only")
FLAGS = (*TINY_FIGURE, "--steps", "6", "--stages", "3", "--set", "train.val_every=2")


class Figure6(FigureCase):
    figure = "figure6"

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
        self.interrupt(out / "stages-2")
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

    def test_mistakes(self):
        self.check_mistakes(("--stages", "2"), ("--stages",))
        self.error(run("cpm-compare"), 64, "RUN", "expected: 1 to 6", "got: 0")
        self.error(run("cpm-compare", self.folder), 65, str(self.folder))
        never = self.folder / "never"
        self.ok("cpm-train", "--data", "synthetic:4", *TINY, "--steps", 1, "--out", never)
        self.error(run("cpm-compare", never, "--out", self.folder / "pictures"), 65, "never validated", "hint: ")
        self.assertFalse((self.folder / "pictures").exists())


if __name__ == "__main__":
    figure_main()
