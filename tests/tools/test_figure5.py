"""tools/figure5.sh, cut short: two trainings that differ in their supervision alone, finished ones are kept, an interrupted
one goes on to the same end; the picture has the paper's layers and epochs and shows what the paper's figure shows of so
small a network."""

import csv
import json
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from figure_case import SVG, TINY_FIGURE, FigureCase, figure_main  # noqa: E402
from support import SOURCE, read_csv, run, tree  # noqa: E402

RUNS = ("with", "without")
FLAGS = (*TINY_FIGURE, "--epochs", "3", "--checkpoint-every", "4", "--set", "train.keep_checkpoints=9")
LAYERS = ("conv1_stage1", "conv3_stage1", "conv7_stage1", "Mconv1_stage2", "Mconv3_stage2", "Mconv5_stage2",
          "Mconv1_stage3", "Mconv3_stage3", "Mconv5_stage3")


class Figure5(FigureCase):
    figure = "figure5"

    def test_figure(self):
        out = self.folder / "figure 5"
        result = self.script("--out", out, *FLAGS)
        self.assertIn(f"page: {out}/figure5.html", result.stdout)
        self.check_trainings(out)
        self.check_picture(out)

        # Again: nothing is trained; and an interrupted training alone goes on, from within its second epoch.
        before = {name: self.trained(out / name) for name in RUNS}
        page = (out / "figure5.html").read_bytes()
        self.interrupt(out / "without", step=8)
        self.script("--out", out, *FLAGS)
        self.assertEqual(self.trained(out / "with"), before["with"])
        after = self.trained(out / "without")
        for part in ("weights.safetensors", *(path for path in after if path.startswith("grads/"))):
            self.assertEqual(after[part], before["without"][part], part)
        self.assertEqual((out / "figure5.html").read_bytes(), page)
        # A folder of other trainings is not mixed with these.
        self.assertIn("another configuration", self.script("--out", out, *FLAGS, "--seed", "4", code=64).stderr)

    def trained(self, run):
        """The files of a training; its log also tells that it was looked at again."""
        return {path: content for path, content in tree(run).items() if path != "train.log"}

    def check_trainings(self, out):
        """The same weights and data in the same order: the first step's losses, stage by stage, are equal."""
        first = [read_csv(out / name / "metrics.csv")[0][0] for name in RUNS]
        stages = [[row[f"loss_stage{t}"] for t in (1, 2, 3)] for row in first]
        self.assertEqual(stages[0], stages[1])
        self.assertAlmostEqual(first[0]["loss"], sum(stages[0]), delta=1e-5 * first[0]["loss"])
        self.assertEqual(first[1]["loss"], stages[1][2])
        settings = [tomllib.loads((out / name / "run.toml").read_text(encoding="utf-8")) for name in RUNS]
        self.assertEqual([value["train"].pop("intermediate_supervision") for value in settings], [True, False])
        self.assertEqual(settings[0], settings[1])
        self.assertEqual(settings[0]["model"]["stages"], 3)
        for name, supervised in zip(RUNS, (True, False)):
            meta = json.loads((out / name / "grads/meta.json").read_text(encoding="utf-8"))
            self.assertEqual((meta["accumulate"], meta["steps_per_epoch"], meta["intermediate_supervision"]),
                             ("epoch", 6, supervised))
            self.assertEqual(len(read_csv(out / name / "metrics.csv")[0]), 18)

    def check_picture(self, out):
        value = self.json_of(run("cpm-hist", "compare", *(out / name for name in RUNS), "--out", self.folder / "again.html",
                                 "--json"))
        self.assertEqual(value["grid"], {"rows": ["epoch 1", "epoch 2", "epoch 3"],
                                         "tensors": [f"{layer}.weight" for layer in LAYERS]})
        self.assertEqual(tree(self.folder / "again"), tree(out / "figure5"))
        self.assertEqual((self.folder / "again.html").read_bytes(), (out / "figure5.html").read_bytes())
        labels = [text.text for text in self.svg(out / "figure5/grid.svg").iter(f"{SVG}text")]
        for label in ("with intermediate supervision", "without intermediate supervision", *LAYERS):
            self.assertIn(label, labels)
        self.assertEqual(sum(label.startswith("epoch ") for label in labels), 9)
        self.assertTrue((out / "figure5/grid.png").is_file())
        # In the first epoch, of what reaches stage 1: without intermediate supervision more of it lies at zero.
        peaks = self.central_shares(out / "figure5/grid.csv")
        for layer in LAYERS[:3]:
            self.assertGreater(peaks["b", f"{layer}.weight"], peaks["a", f"{layer}.weight"] + 0.05)
        first = {entry["label"]: entry["tensors"][0]["q50"][0] for entry in value["runs"]}
        self.assertGreater(first["with intermediate supervision"], 10 * first["without intermediate supervision"])

    def central_shares(self, path):
        """(run, tensor) -> share of the bin round zero in the first epoch."""
        with open(path, encoding="utf-8", newline="") as file:
            return {(row["run"], row["tensor"]): float(row["share"]) for row in csv.DictReader(file)
                    if row["rows"] == "6-11" and float(row["low"]) < 0 < float(row["high"])}

    def test_defaults(self):
        """What the script trains when nothing is said: whole epochs, every step of them counted, three of them at least."""
        with open(SOURCE / "data/configs/figure5.toml", "rb") as file:
            settings = tomllib.load(file)
        self.assertEqual(settings["grads"], {"every": 1, "accumulate": "epoch"})
        self.assertGreaterEqual(settings["train"]["epochs"], 3)

    def test_mistakes(self):
        self.check_mistakes()
        self.assertIn("usage: tools/figure5.sh", self.script("--help").stdout)


if __name__ == "__main__":
    figure_main()
