"""What cpm-train promises: the files of a run directory, how it is named and never overwritten, where settings come
from and which of them wins, fine-tuning, raw tensors, and a JSON object for scripts."""

import json
import os
import re
import signal
import subprocess
import time

from support import (INPUT, JOINTS, STAGES, TINY, Case, command, layers, main, network, raw_tensors, read_csv,
                     read_safetensors, tree, write_lsp, write_safetensors)
from support import run as run_program

FILES = {"run.toml", "env.json", "status.json", "train.log", "metrics.csv", "metrics.jsonl", "ckpt", "val",
         "report.html", "weights.safetensors", "plan.json"}
DATA = ("--data", "synthetic:12")


class Contract(Case):
    def train(self, *more, **options):
        return self.ok("cpm-train", *DATA, *TINY, "--steps", 2, *more, **options)

    def weights(self, run):
        return (run / "weights.safetensors").read_bytes()

    def settings(self, *arguments, **options):
        return self.ok("cpm-train", "--print-config", *arguments, **options).out

    def test_run_directory(self):
        run = self.folder / "a run"
        result = self.train("--out", run, "--val", "synthetic:3", "--set", "train.val_every=1")
        names = {path.name for path in run.iterdir()}
        self.assertEqual({name for name in names if not name.startswith("events.out.tfevents.")}, FILES)
        self.assertEqual(len(names - FILES), 1)
        self.assertEqual(os.readlink(run / "ckpt/last"), "step-00000002.ckpt")
        for name in ("env.json", "status.json", "plan.json", "val/step-00000001/metrics.json",
                     "val/step-00000002/metrics.json"):
            self.assertIsInstance(json.loads((run / name).read_text(encoding="utf-8")), dict, name)
        self.assertTrue((run / "val/step-00000002/overlay.png").read_bytes().startswith(b"\x89PNG"))
        # What was shown is what was kept.
        self.assertEqual((run / "train.log").read_text(encoding="utf-8"), result.out)
        plan = json.loads((run / "plan.json").read_text(encoding="utf-8"))
        self.assertTrue(plan and all(isinstance(row, str) for row in plan.values()))
        self.assertIn("a run", json.loads((run / "env.json").read_text(encoding="utf-8"))["argv"][-5])
        report = (run / "report.html").read_text(encoding="utf-8")
        self.assertTrue(report.rstrip().endswith("</html>"))
        self.assertIsNone(re.search(r"(src|href)=\"https?:", report))  # it is one file
        status = json.loads((run / "status.json").read_text(encoding="utf-8"))
        self.assertEqual((status["state"], status["step"], status["steps"]), ("finished", 2, 2))

    def test_weights_say_their_shapes_and_nothing_else(self):
        run = self.folder / "run"
        self.train("--out", run, "--set", "model.pooling=caffe")
        tensors, metadata = read_safetensors(run / "weights.safetensors")
        shapes = {}
        for name, out, into, kernel in layers():
            shapes[name + ".weight"], shapes[name + ".bias"] = [out, into, kernel, kernel], [out]
        self.assertEqual({name: tensor.shape for name, tensor in tensors.items()}, shapes)
        self.assertEqual({tensor.dtype for tensor in tensors.values()}, {"F32"})
        self.assertEqual(set(metadata), {"pooling", "input", "joints"})
        self.assertEqual((metadata["pooling"], metadata["input"]), ("caffe", str(INPUT)))
        # Elsewhere and a while later, under another name: the same bytes.
        other = self.folder / "elsewhere" / "x"
        self.train("--out", other, "--set", "model.pooling=caffe", "--set", "train.name=other")
        self.assertTrue(self.weights(run) == self.weights(other))
        self.assertEqual(metadata["joints"], ",".join(JOINTS).replace(" ", "_"))
        self.assertFalse(str(self.folder).encode() in self.weights(run))

    def test_numbered_runs(self):
        for _ in range(2):
            self.train(cwd=self.folder)
        self.train("--set", "train.name=people", cwd=self.folder)
        runs = self.folder / "runs"
        (runs / "cpm-007").mkdir()
        self.train(cwd=self.folder)
        self.assertEqual({path.name for path in runs.iterdir()},
                         {"cpm-001", "cpm-002", "people-001", "cpm-007", "cpm-008", "latest"})
        self.assertEqual(os.readlink(runs / "latest"), "cpm-008")
        # --resume alone takes the newest, by its latest change.
        result = self.ok("cpm-train", "--resume", "--steps", 3, cwd=self.folder)
        self.assertIn("cpm-008", result.out)
        self.assertEqual(len(read_csv(runs / "cpm-008/metrics.csv")[0]), 3)

    def test_out_is_never_overwritten(self):
        run = self.folder / "run"
        self.train("--out", run)
        before = tree(run)
        for more in ((), ("--seed", 3), ("--weights", run / "weights.safetensors")):
            result = self.refused(64, "cpm-train", *DATA, *TINY, "--steps", 3, "--out", run, *more)
            self.assertIn("--resume", result.fields["hint"])
            self.assertEqual(tree(run), before)
        (self.folder / "empty").mkdir()
        self.train("--out", self.folder / "empty")

    def refused(self, code, *arguments, parts=()):
        return self.error(run_program(*arguments), code, *parts)

    def test_json(self):
        run = self.folder / "run"
        result = self.train("--out", run, "--json", "--val", "synthetic:3")
        summary = self.json_of(result)
        self.assertEqual((summary["run"], summary["steps"], summary["interrupted"]), (str(run), 2, False))
        rows, _ = read_csv(run / "metrics.csv")
        self.assertLess(abs(summary["loss"] - rows[-1]["loss"]), 1e-6 * rows[-1]["loss"])
        self.assertLess(abs(summary["seconds"] - rows[-1]["seconds"]), 1e-6)
        self.assertTrue(0 <= summary["pck"] <= 1 and 0 <= summary["mean_pose_pck"] <= 1)
        self.assertIn("step 2/2", result.err)

    def test_settings_round_trip(self):
        shown = self.settings(*DATA, "--set", "model.stages=3", "--set", "optim.lr=0.00025", "--set",
                              "optim.weight_multiplier=[1, 4, 4]", "--set", "train.name=it's \"quoted\" so",
                              "--seed", 9)
        file = self.folder / "c o n f.toml"
        file.write_text(shown, encoding="utf-8")
        self.assertEqual(self.settings("--config", file), shown)
        self.assertIn("stages = 3 ", shown)
        self.assertIn("lr = 0.00025 ", shown)
        # What a run keeps is what it was given.
        run = self.folder / "run"
        self.train("--out", run, "--seed", 4)
        self.assertEqual((run / "run.toml").read_text(encoding="utf-8"),
                         self.settings(*DATA, *TINY, "--steps", 2, "--seed", 4))

    def value(self, key, *arguments):
        section, name = key.split(".")
        block = re.search(rf"^\[{section}\]\n(.*?)(?:\n\n|\Z)", self.settings(*arguments), re.MULTILINE | re.DOTALL)
        return re.search(rf"^{name} = (.*?) +#", block.group(1), re.MULTILINE).group(1)

    def test_which_setting_wins(self):
        """Defaults, then the file, then --set, then flags."""
        file = self.folder / "c.toml"
        file.write_text("[train]\nbatch = 3\nseed = 30\n", encoding="utf-8")
        from_file = ("--config", file)
        self.assertEqual(self.value("train.batch"), "16")
        self.assertEqual(self.value("train.batch", *from_file), "3")
        self.assertEqual(self.value("train.batch", "--set", "train.batch=5", *from_file), "5")
        self.assertEqual(self.value("train.batch", "--batch", 7, "--set", "train.batch=5", *from_file), "7")
        self.assertEqual(self.value("train.seed", "--batch", 7, *from_file), "30")
        self.assertEqual(self.value("train.intermediate_supervision", "--no-intermediate-supervision"), "false")

    def test_steps_and_epochs_overrule_each_other(self):
        file = self.folder / "c.toml"
        for section, flag, other in (("epochs = 3.0", ("--steps", 2), "train.epochs"),
                                     ("steps = 50", ("--epochs", "0.5"), "train.steps")):
            file.write_text(f"[train]\n{section}\n", encoding="utf-8")
            self.assertEqual(float(self.value(other, "--config", file, *flag)), 0)
        # 12 people in batches of 4: half an epoch is 1.5 steps, rounded up.
        run = self.folder / "run"
        self.ok("cpm-train", *DATA, *TINY, "--config", file, "--epochs", "0.5", "--out", run)
        self.assertEqual([row["epoch"] for row in read_csv(run / "metrics.csv")[0]], [0.333333333, 0.666666667])
        self.refused(64, "cpm-train", *DATA, *TINY, "--epochs", 1, "--steps", 5, "--out", self.folder / "both",
                     parts=("train.steps", "expected: "))
        self.assertFalse((self.folder / "both").exists())

    def test_last_stage_only(self):
        both, last = self.folder / "both", self.folder / "last"
        self.train("--out", both)
        self.train("--out", last, "--no-intermediate-supervision")
        self.assertFalse(self.weights(both) == self.weights(last))
        first, second = read_csv(both / "metrics.csv")[0][0], read_csv(last / "metrics.csv")[0][0]
        for stage in range(1, STAGES + 1):  # the same weights and images, so far
            self.assertEqual(first[f"loss_stage{stage}"], second[f"loss_stage{stage}"])
        self.assertEqual(second["loss"], second[f"loss_stage{STAGES}"])
        self.assertLess(second["loss"], first["loss"])

    def test_validation(self):
        write_lsp(self.folder / "lsp")
        spec = f"lsp:{self.folder / 'lsp/joints.mat'},{self.folder / 'lsp/images'}"
        run = self.folder / "run"
        arguments = ("--data", spec + ",1-2", *TINY[:-2], "--batch", 2, "--steps", 2)
        result = self.ok("cpm-train", *arguments, "--val", spec + ",3-3", "--out", run, "--json")
        kept = json.loads((run / "val/step-00000002/metrics.json").read_text(encoding="utf-8"))
        self.assertEqual((kept["count"], kept["threshold"], kept["metric"]), (14, 0.2, "pck"))
        self.assertEqual(kept["mean"], self.json_of(result)["pck"])
        # cpm-eval says the same of the same weights.
        scored = self.json_of(self.ok("cpm-eval", "--weights", run / "weights.safetensors", "--data", spec + ",3-3",
                                      "--json"))
        self.assertEqual(scored, kept)
        # Validating changes nothing of the training.
        plain = self.folder / "plain"
        self.ok("cpm-train", *arguments, "--out", plain)
        self.assertTrue(self.weights(plain) == self.weights(run))

    def test_fine_tuning(self):
        start = self.folder / "start.safetensors"
        write_safetensors(start, network(seed=4))
        same = self.folder / "same"
        result = self.train("--out", same, "--weights", start, "--set", "optim.lr=0")
        self.assertIn("all tensors taken", result.out)
        self.assertEqual(read_safetensors(same / "weights.safetensors")[0], read_safetensors(start)[0])

    def test_fine_tuning_to_other_joints(self):
        """The tensors that depend on the number of joints stay new, and are named."""
        start, raw = self.folder / "start.safetensors", self.folder / "raw.safetensors"
        write_safetensors(start, network(seed=4))
        write_safetensors(raw, raw_tensors(joints=5))
        run = self.folder / "run"
        result = self.ok("cpm-train", "--data", f"raw:{raw}", "--batch", 2, "--steps", 1, "--set", "model.stages=2",
                         "--set", "model.width=0.0625", "--set", "optim.lr=0", "--weights", start, "--out", run)
        differ = ["conv7_stage1.weight", "conv7_stage1.bias", "Mconv1_stage2.weight", "Mconv5_stage2.weight",
                  "Mconv5_stage2.bias"]
        line = next(line for line in result.out.split("\n") if "not taken" in line)
        self.assertEqual(sorted(re.findall(r"\w+_stage\d\.\w+", line)), sorted(differ))
        before, after = read_safetensors(start)[0], read_safetensors(run / "weights.safetensors")[0]
        for name, tensor in after.items():
            self.assertEqual(tensor == before[name], name not in differ, name)
        self.assertEqual(after["conv7_stage1.bias"].shape, [6])

    def test_fine_tuning_to_another_width(self):
        """Where a tensor happens to fit it is taken; where none does, that is an error."""
        start = self.folder / "start.safetensors"
        write_safetensors(start, network(seed=4))
        result = self.ok("cpm-train", *DATA, "--set", "model.stages=2", "--set", "model.width=0.125", "--set",
                         "data.input=64", "--batch", 2, "--steps", 1, "--weights", start, "--out", self.folder / "run")
        self.assertIn("not taken", result.out)
        self.assertIn("conv1_stage1.weight", result.out)
        odd = self.folder / "odd.safetensors"
        write_safetensors(odd, {"conv1_stage1.weight": network()["Mconv5_stage2.bias"]})
        self.refused(65, "cpm-train", *DATA, *TINY, "--steps", 1, "--weights", odd, "--out", self.folder / "none",
                     parts=(str(odd), "no tensor fits"))
        self.assertFalse((self.folder / "none").exists())

    def test_fine_tuning_resumed_before_the_first_checkpoint(self):
        """The weights it started from are part of the run, whenever it is killed."""
        start = self.folder / "start.safetensors"
        write_safetensors(start, network(seed=4))
        arguments = (*DATA, *TINY, "--steps", 25, "--weights", start)
        whole, killed = self.folder / "whole", self.folder / "killed"
        self.ok("cpm-train", *arguments, "--out", whole)
        with subprocess.Popen(command("cpm-train", *arguments, "--out", killed), stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and not (killed / "plan.json").exists():
                time.sleep(0.002)
            process.kill()
        self.assertEqual(process.returncode, -signal.SIGKILL)
        start.unlink()
        self.ok("cpm-train", "--resume", killed)
        self.assertTrue(self.weights(killed) == self.weights(whole))

    def test_raw_tensors(self):
        raw = self.folder / "raw.safetensors"
        tensors = raw_tensors(n=4, joints=3)
        write_safetensors(raw, tensors)
        arguments = ("--data", f"raw:{raw}", "--batch", 2, "--set", "model.stages=2", "--set", "model.width=0.0625")
        run = self.folder / "run"
        self.ok("cpm-train", *arguments, "--steps", 4, "--out", run, "--set", "optim.lr=0")
        rows, _ = read_csv(run / "metrics.csv")
        # The rows in order, round and round, and nothing drawn at random.
        self.assertEqual([row["loss"] for row in rows[:2]], [row["loss"] for row in rows[2:]])
        self.assertNotEqual(rows[0]["loss"], rows[1]["loss"])
        self.assertEqual([row["epoch"] for row in rows], [0.5, 1, 1.5, 2])
        # cpm-grad finds the same losses for the first two rows.
        for name, tensor in tensors.items():
            half = len(tensor.values) // 2
            tensors[name] = type(tensor)([2, *tensor.shape[1:]], tensor.values[:half])
        first = self.folder / "first.safetensors"
        write_safetensors(first, tensors)
        losses = self.json_of(self.ok("cpm-grad", "--weights", run / "weights.safetensors", "--raw-input", first,
                                      "--out", self.folder / "g.safetensors", "--json"))["loss"]
        for stage, loss in enumerate(losses, 1):
            self.assertLess(abs(rows[0][f"loss_stage{stage}"] - loss), 1e-6 * loss)
        self.ok("cpm-train", *arguments, "--steps", 2, "--out", self.folder / "learns")
        self.assertFalse(self.weights(self.folder / "learns") == self.weights(run))


if __name__ == "__main__":
    main()
