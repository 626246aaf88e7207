"""cpm-train --grad-hist: counts equal numpy's on dumped gradients, exactly; files have the documented form, add up, and do
not depend on threads, on where a run was interrupted, or on the device."""

import json
import os
import re
import shutil
import subprocess
import unittest

from support import BIN, LIMIT, SOURCE, TINY, Case, command, main, need_numpy, network, raw_tensors, read_safetensors, \
    tree, write_safetensors

need_numpy()
import numpy as np  # pylint: disable=wrong-import-position,wrong-import-order

LOWEST, HIGHEST = -60, 20
SPECIALS = ["zero", "subnormal", "underflow", "overflow", "nan", "inf"]
EDGES = np.array([2.0 ** (LOWEST + i // 2) * (1.5 if i % 2 else 1.0) for i in range(2 * (HIGHEST - LOWEST) + 1)])
VGPU = BIN.parent / "vgpu"
NETWORK = TINY[:-2]  # without its batch: all rows of the raw tensors


def counted(values):
    """(counts [320], special [6]) of float32 numbers, by comparing with the edges."""
    finite = values[np.isfinite(values)].astype("f8")
    size, least = np.abs(finite), float(np.finfo("f4").tiny)
    inside = finite[(size >= EDGES[0]) & (size < EDGES[-1])]
    bins = np.searchsorted(EDGES, np.abs(inside), side="right") - 1
    place = np.where(inside < 0, 159 - bins, 160 + bins)
    special = [np.sum(size == 0), np.sum((size > 0) & (size < least)), np.sum((size >= least) & (size < EDGES[0])),
               np.sum(size >= EDGES[-1]), np.sum(np.isnan(values)), np.sum(np.isinf(values))]
    return np.bincount(place, minlength=320), np.array(special)


def linear(values, bins, reach):
    """Counters of `bins` equal bins over [-reach, reach), what is below and above in the first and the last."""
    place = np.floor(values.astype("f8") * (bins / (2 * reach)))
    return np.bincount(np.clip(place + bins // 2 + 1, 0, bins + 1).astype(int), minlength=bins + 2)


class Grads:
    """A run's grads/, every part joined."""

    def __init__(self, run):
        self.folder = run / "grads"
        self.meta = json.loads((self.folder / "meta.json").read_text(encoding="utf-8"))
        self.parts = [dict(np.load(path)) for path in sorted(self.folder.glob("part-*.npz"))]
        self.names = [tensor["name"] for tensor in self.meta["tensors"]]

    def __getitem__(self, name):
        return np.concatenate([part[name] for part in self.parts])


class GradHist(Case):
    def setUp(self):
        super().setUp()
        self.weights, self.raw = self.folder / "start.safetensors", self.folder / "raw.safetensors"
        write_safetensors(self.weights, network())
        write_safetensors(self.raw, raw_tensors())
        self.data = f"raw:{self.raw}"

    def train(self, name, *more, code=0, environment=None):
        out = self.folder / name
        arguments = ("--data", self.data, *NETWORK, "--weights", self.weights, "--out", out, *more)
        done = subprocess.run(command("cpm-train", *arguments), capture_output=True, text=True, timeout=LIMIT, check=False,
                              env={**os.environ, **(environment or {})})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return out

    def gradients(self, weights, *more):
        """name -> flat float32 array, by cpm-grad."""
        out = self.folder / "gradients.safetensors"
        self.ok("cpm-grad", "--weights", weights, "--raw-input", self.raw, "--out", out, *more)
        return {name: np.array(tensor.values, dtype="f4") for name, tensor in read_safetensors(out)[0].items() if name != "loss"}

    def check_form(self, grads, records, kinds=("weight", "bias")):
        """meta.json and the arrays' names, types, shapes; the sum of all counters of a step is the number of elements."""
        meta = grads.meta
        self.assertEqual((meta["format"], meta["specials"], meta["stats"]),
                         (1, SPECIALS, ["l2", "max", "mean", "update_ratio"]))
        self.assertEqual(meta["taken"], "before clipping and multipliers")
        self.assertEqual((meta["bins"]["per_octave"], meta["bins"]["lowest"], meta["bins"]["highest"]), (2, LOWEST, HIGHEST))
        self.assertEqual(meta["bins"]["edges"], list(EDGES))
        self.assertEqual([t["kind"] for t in meta["tensors"]], list(kinds) * (len(meta["tensors"]) // len(kinds)))
        self.assertEqual([t["depth"] for t in meta["tensors"]], [1 + i // len(kinds) for i in range(len(meta["tensors"]))])
        self.assertEqual(meta["tensors"][0]["name"], "conv1_stage1.weight")
        self.assertEqual({t["layer"] for t in meta["tensors"]}, {t["name"].split(".")[0] for t in meta["tensors"]})
        self.assertEqual(grads["step"].dtype, "<i8")
        self.assertEqual(len(grads["step"]), records)
        whole = np.uint32 if meta["accumulate"] == "step" else np.uint64
        for tensor in meta["tensors"]:
            name = tensor["name"]
            self.assertEqual((grads[f"{name}/counts"].shape, grads[f"{name}/counts"].dtype), ((records, 320), whole))
            self.assertEqual((grads[f"{name}/special"].shape, grads[f"{name}/special"].dtype), ((records, 6), whole))
            self.assertEqual((grads[f"{name}/stats"].shape, grads[f"{name}/stats"].dtype), ((records, 4), np.float64))
            if meta["accumulate"] == "step":
                total = grads[f"{name}/counts"].sum(axis=1) + grads[f"{name}/special"].sum(axis=1)
                self.assertEqual(list(total), [np.prod(tensor["shape"])] * records)

    def test_counts_equal_numpy(self):
        """Three steps, each from weights that were saved before it."""
        run = self.train("run", "--steps", 3, "--grad-hist", 1, "--checkpoint-every", 1, "--set", "grads.linear_bins=24",
                         "--set", "grads.linear_range=0.002", "--set", "train.keep_checkpoints=9", "--set", "optim.lr=0.001")
        grads = Grads(run)
        self.check_form(grads, 3)
        self.assertEqual(list(grads["step"]), [1, 2, 3])
        self.assertEqual(grads.meta["linear"], {"bins": 24, "range": 0.002})
        states = []
        for step in range(4):
            tensors, _ = read_safetensors(run / f"ckpt/step-{step:08}.ckpt")
            states.append({name: tensors[name] for name in grads.names})
            write_safetensors(self.folder / f"{step}.safetensors", states[-1])
        for step in range(3):
            dumped = self.gradients(self.folder / f"{step}.safetensors")
            self.assertEqual(set(dumped), set(grads.names))
            for name, values in dumped.items():
                with self.subTest(step=step, name=name):
                    counts, special = counted(values)
                    np.testing.assert_array_equal(grads[f"{name}/counts"][step], counts)
                    np.testing.assert_array_equal(grads[f"{name}/special"][step], special)
                    np.testing.assert_array_equal(grads[f"{name}/linear"][step], linear(values, 24, 0.002))
                    wide = values.astype("f8")
                    before, after = (np.array(states[step + k][name].values, dtype="f8") for k in (0, 1))
                    stats = [np.linalg.norm(wide), np.abs(wide).max(), np.abs(wide).mean(),
                             np.linalg.norm(after - before) / np.linalg.norm(before)]
                    np.testing.assert_allclose(grads[f"{name}/stats"][step], stats, rtol=1e-12)
        self.check_quantiles(run, grads)

    def check_quantiles(self, run, grads):
        """A line a record and tensor; quantiles lie within the bin that numpy's cumulative counts say."""
        lines = (run / "grads/quantiles.csv").read_text(encoding="utf-8").splitlines()
        self.assertEqual(lines[0], "step,tensor,depth,stage,q05,q25,q50,q75,q95")
        self.assertEqual(len(lines) - 1, len(grads["step"]) * len(grads.names))
        for i, line in enumerate(lines[1:]):
            cells, tensor = line.split(","), grads.meta["tensors"][i % len(grads.names)]
            record, name = i // len(grads.names), tensor["name"]
            self.assertEqual(cells[:4], [str(grads["step"][record]), name, str(tensor["depth"]), str(tensor["stage"])])
            counts = grads[f"{name}/counts"][record].astype("i8")
            size = np.cumsum(counts[159::-1] + counts[160:])
            for q, cell in zip((.05, .25, .5, .75, .95), cells[4:9]):
                place = int(np.searchsorted(size, q * size[-1]))
                self.assertTrue(EDGES[place] * 0.995 <= float(cell) <= EDGES[place + 1] * 1.005, (line, q))

    def test_training_stays_the_same(self):
        plain = self.train("plain", "--steps", 3)
        watched = self.train("watched", "--steps", 3, "--grad-hist", 2, "--set", "grads.activations=true")
        self.assertEqual((plain / "weights.safetensors").read_bytes(), (watched / "weights.safetensors").read_bytes())
        self.assertFalse((plain / "grads").exists())
        grads = Grads(watched)
        self.assertEqual(list(grads["step"]), [2])
        self.check_form(grads, 1, ("weight", "bias", "activation"))
        self.assertEqual(grads.names[2], "conv1_stage1.output")
        self.assertTrue(np.isnan(grads["conv1_stage1.output/stats"][0, 3]))
        self.assertGreater(grads["conv1_stage1.output/stats"][0, 0], 0)

    def test_threads(self):
        trees = [tree(self.train(f"threads{n}", "--steps", 3, "--grad-hist", 1, "--threads", n, "--set",
                                 "grads.activations=true", "--set", "grads.linear_bins=10") / "grads") for n in (1, 3)]
        self.assertEqual(trees[0], trees[1])
        self.assertEqual(set(trees[0]), {"meta.json", "part-000001.npz", "quantiles.csv"})

    def resumed_runs(self, *more):
        """An uninterrupted run of ten steps, and the same from the checkpoint of step 4 on: as if those behind it had been
        damaged, so that the records go beyond it."""
        steps = ("--steps", 10, "--checkpoint-every", 2, "--threads", 2, *more)
        whole, cut = self.train("whole", *steps), self.folder / "cut"
        shutil.copytree(whole, cut, symlinks=True)
        for step in (6, 8, 10):
            (cut / f"ckpt/step-{step:08}.ckpt").unlink(missing_ok=True)
        (cut / "weights.safetensors").unlink()
        done = subprocess.run(command("cpm-train", "--resume", cut, "--threads", 1), capture_output=True, text=True,
                              timeout=LIMIT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("checkpoint of step 4", done.stdout)
        self.assertEqual((whole / "weights.safetensors").read_bytes(), (cut / "weights.safetensors").read_bytes())
        return whole, cut

    def test_resume_cuts_back(self):
        whole, cut = self.resumed_runs("--grad-hist", 1, "--set", "train.keep_checkpoints=9")
        self.assertEqual(tree(whole / "grads"), tree(cut / "grads"))
        self.assertEqual(list(Grads(cut)["step"]), list(range(1, 11)))

    def test_killed(self):
        """kill -9 in the middle, whatever was flushed by then."""
        steps = ("--steps", 40, "--checkpoint-every", 3, "--grad-hist", 1)
        whole, out = self.train("whole", *steps), self.folder / "killed"
        arguments = ("--data", self.data, *NETWORK, "--weights", self.weights, "--out", out, *steps)
        with subprocess.Popen(command("cpm-train", *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and not (out / "ckpt/step-00000006.ckpt").exists():
                pass
            process.kill()
        self.ok("cpm-train", "--resume", out)
        self.assertEqual(tree(whole / "grads"), tree(out / "grads"))

    def test_epochs_add_up(self):
        """Epochs of two batches and a half; the sums of the same steps' records, also through a resume within an epoch."""
        self.data = "synthetic:5"
        more = ("--batch", 2, "--grad-hist", 1, "--set", "train.keep_checkpoints=9", "--set", "grads.linear_bins=6")
        whole, cut = self.resumed_runs(*more, "--set", "grads.accumulate=epoch")
        self.assertEqual(tree(whole / "grads"), tree(cut / "grads"))
        steps, epochs = Grads(self.train("steps", "--steps", 10, *more)), Grads(whole)
        self.check_form(epochs, 4)
        self.assertEqual(epochs.meta["steps_per_epoch"], 2.5)
        self.assertEqual(list(epochs["step"]), [3, 5, 8, 10])
        for name in epochs.names:
            for kind in ("counts", "special", "linear"):
                parts = np.split(steps[f"{name}/{kind}"].astype("u8"), [3, 5, 8])
                np.testing.assert_array_equal(epochs[f"{name}/{kind}"], [part.sum(axis=0) for part in parts])
            parts = np.split(steps[f"{name}/stats"], [3, 5, 8])
            np.testing.assert_allclose(epochs[f"{name}/stats"][:, 0], [np.sqrt(np.mean(p[:, 0] ** 2)) for p in parts])
            np.testing.assert_allclose(epochs[f"{name}/stats"][:, 1], [p[:, 1].max() for p in parts])
            np.testing.assert_allclose(epochs[f"{name}/stats"][:, 2], [p[:, 2].mean() for p in parts])

    def test_more_records_than_a_part_holds(self):
        run = self.train("long", "--steps", 300, "--grad-hist", 1, "--set", "optim.lr=0")
        grads = Grads(run)
        self.assertEqual([len(part["step"]) for part in grads.parts], [256, 44])
        self.assertEqual(list(grads["step"]), list(range(1, 301)))
        self.assertEqual(len((run / "grads/quantiles.csv").read_text(encoding="utf-8").splitlines()), 1 + 300 * len(grads.names))
        for name in grads.names:  # the weights stand still, and so do their gradients
            self.assertTrue((grads[f"{name}/counts"] == grads[f"{name}/counts"][0]).all())
        before = tree(run / "grads")
        self.ok("cpm-train", "--resume", run, "--steps", 301)
        after = tree(run / "grads")
        self.assertEqual(before["part-000001.npz"], after["part-000001.npz"])
        self.assertEqual(len(Grads(run)["step"]), 301)

    def test_divergence_is_recorded(self):
        raw = raw_tensors()
        raw["target"].values[5] = float("inf")
        write_safetensors(self.raw, raw)
        out = self.folder / "bad"
        done = subprocess.run(command("cpm-train", "--data", f"raw:{self.raw}", *NETWORK, "--weights", self.weights, "--out", out,
                                      "--steps", 3, "--grad-hist", 1), capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        grads = Grads(out)
        self.check_form(grads, 1)
        self.assertGreater(sum(int(grads[f"{name}/special"][0, 4:].sum()) for name in grads.names), 0)

    @unittest.skipUnless(VGPU.exists(), "this build has no virtual GPU")
    def test_device(self):
        """On the virtual GPU the records are those of the gradients that it computes."""
        where = {"LD_LIBRARY_PATH": str(VGPU)}
        run = self.train("device", "--steps", 1, "--grad-hist", 1, "--device", "cuda", environment=where)
        grads = Grads(run)
        self.check_form(grads, 1)
        out = self.folder / "gradients.safetensors"
        self.ok("cpm-grad", "--weights", self.weights, "--raw-input", self.raw, "--out", out, "--device", "cuda", **where)
        for name, tensor in read_safetensors(out)[0].items():
            if name == "loss":
                continue
            counts, special = counted(np.array(tensor.values, dtype="f4"))
            np.testing.assert_array_equal(grads[f"{name}/counts"][0], counts)
            np.testing.assert_array_equal(grads[f"{name}/special"][0], special)

    def test_the_documented_snippet(self):
        run = self.train("run", "--steps", 2, "--grad-hist", 1)
        text = (SOURCE / "docs/research.md").read_text(encoding="utf-8")
        (snippet,) = re.findall(r"```python\n(.*?)```", text, re.S)
        here = {"run": str(run)}
        exec(snippet, here)  # pylint: disable=exec-used
        np.testing.assert_array_equal(here["counts"], Grads(run)["conv1_stage1.weight/counts"])
        self.assertEqual(len(snippet.splitlines()), 5)

    def test_wrong_settings(self):
        for setting, parts in {"grads.linear_bins=3": ("grads.linear_bins", "even"), "grads.every=-1": ("grads.every",),
                               "grads.accumulate=week": ("week", '"step" or "epoch"')}.items():
            done = subprocess.run(command("cpm-train", "--data", "synthetic:4", "--out", self.folder / "no", "--set", setting),
                                  capture_output=True, text=True, timeout=LIMIT, check=False)
            self.assertEqual(done.returncode, 64, done.stderr)
            for part in parts:
                self.assertIn(part, done.stderr)
        self.assertFalse((self.folder / "no").exists())


if __name__ == "__main__":
    main()
