"""What learns from which loss, as a user says it: stage by stage with the same bits through every resume, frozen stages,
weights of losses, and the mistakes in it."""

import json
import math
import shutil

from support import (BIN, STAGES, TINY, Case, main, network, read_csv, read_safetensors, run as run_program,
                     write_safetensors)

VGPU = BIN.parent / "vgpu"
STEPS = 8
BORDER = STEPS // STAGES  # steps of stage 1
DATA = ("--data", "synthetic:24", "--seed", 5, "--set", "optim.lr=0.001", *TINY)
STAGEWISE = (*DATA, "--steps", STEPS, "--set", "supervision.schedule=stagewise", "--set", "optim.warmup=2",
             "--set", "optim.schedule=cosine")
SAVING = ("--checkpoint-every", 1, "--set", "train.keep_checkpoints=99")


def stage(name):
    """Of a tensor, its state included: adam_m/conv1_stage2.weight -> 2."""
    return int(name.split("_stage")[1][0])


class Supervision(Case):
    def train(self, name, *arguments, **environment):
        out = self.folder / name
        result = run_program("cpm-train", *arguments, "--out", out, **environment)
        self.assertEqual(result.code, 0, result)
        return out

    def weights(self, run):
        return (run / "weights.safetensors").read_bytes()

    def checkpoint(self, run, step):
        return read_safetensors(run / f"ckpt/step-{step:08}.ckpt")[0]

    def test_stage_by_stage(self):
        run = self.train("run", *STAGEWISE, *SAVING)
        rows, _ = read_csv(run / "metrics.csv")
        self.assertEqual(len(rows), STEPS)
        for row in rows:
            learns = 1 if row["step"] <= BORDER else 2
            self.assertEqual(row["loss"], row[f"loss_stage{learns}"])
            self.assertEqual(math.isnan(row["loss_stage2"]), learns == 1)  # not computed yet
        jsonl = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        self.assertIsNone(jsonl[0]["loss_stage2"])
        # Warm-up and cosine run once a stage.
        self.assertEqual([row["lr"] for row in rows[:BORDER]], [row["lr"] for row in rows[BORDER:]])
        self.assertEqual([row["lr"] for row in rows[:3]], [0.0005, 0.001, 0.001])
        log = (run / "train.log").read_text(encoding="utf-8")
        self.assertIn(f"supervise stage by stage: 1 to step {BORDER}, 2 to step {STEPS}\n", log)
        # A stage that does not learn keeps weights and state, bit for bit.
        for quiet, first, last in ((2, 1, BORDER), (1, BORDER, STEPS)):
            before, after = self.checkpoint(run, first), self.checkpoint(run, last)
            for name, tensor in before.items():
                same = tensor == after[name]
                self.assertEqual(same, stage(name) == quiet, name)
        for name, tensor in self.checkpoint(run, BORDER).items():
            if stage(name) == 2 and name.startswith("adam"):
                self.assertEqual(tensor.largest(), 0, name)

    def resume_from(self, run, step, *more, **environment):
        """The run, cut back to an earlier checkpoint and finished again."""
        copy = self.folder / f"from-{step}"
        shutil.copytree(run, copy, symlinks=True)
        (copy / "weights.safetensors").unlink()
        for file in (copy / "ckpt").glob("step-*.ckpt"):
            if int(file.stem.split("-")[1]) > step:
                file.unlink()
        result = run_program("cpm-train", "--resume", copy, *more, **environment)
        self.assertEqual(result.code, 0, result)
        self.assertIn(f"from the checkpoint of step {step}", result.out)
        return copy

    def test_same_bits_through_resumes_for_any_threads(self):
        run = self.train("run", *STAGEWISE, *SAVING, "--threads", 1)
        plan = (run / "plan.json").read_bytes()
        losses = [row["loss"] for row in read_csv(run / "metrics.csv")[0]]
        for step in (BORDER - 1, BORDER, BORDER + 1):
            again = self.resume_from(run, step, "--threads", 1 + step % 3)
            self.assertTrue(self.weights(run) == self.weights(again), step)
            self.assertEqual([row["loss"] for row in read_csv(again / "metrics.csv")[0]], losses)
            self.assertEqual((again / "plan.json").read_bytes(), plan)

    def test_cuda(self):
        """On the virtual GPU: the recorded step changes at the border; the same bits after a resume there."""
        if not (VGPU / "libcudart.so.13").exists():
            self.skipTest("this build has no virtual GPU")
        cuda = {"LD_LIBRARY_PATH": str(VGPU)}
        training = (*STAGEWISE, "--set", "optim.lr=0.0001")  # larger steps amplify the rounding that differs
        host = self.train("host", *training, "--device", "cpu")
        run = self.train("run", *training, *SAVING, "--device", "cuda", **cuda)
        plain = self.train("plain", *training, "--device", "cuda", "--no-cuda-graph", **cuda)
        self.assertTrue(self.weights(run) == self.weights(plain))
        for mine, theirs in zip(read_csv(run / "metrics.csv")[0], read_csv(host / "metrics.csv")[0], strict=True):
            self.assertLess(abs(mine["loss"] - theirs["loss"]), 1e-5 * theirs["loss"])
        again = self.resume_from(run, BORDER, **cuda)
        self.assertTrue(self.weights(run) == self.weights(again))

    def test_validation_reads_the_stage_that_learns(self):
        run = self.train("run", *STAGEWISE, "--val", "synthetic:6", "--set", "train.val_every=4")
        log = (run / "train.log").read_text(encoding="utf-8")
        self.assertRegex(log, r"step 4  validation PCK@0.2 \S+ over \d+ joints by stage 1 \(mean")
        self.assertRegex(log, r"step 8  validation PCK@0.2 \S+ over \d+ joints \(mean")

    def test_stage_steps(self):
        shares = ("--set", "supervision.stage_steps=[3, 2]")
        run = self.train("run", *DATA, "--set", "supervision.schedule=stagewise", *shares)
        rows, _ = read_csv(run / "metrics.csv")
        self.assertEqual([math.isnan(row["loss_stage2"]) for row in rows], [True] * 3 + [False] * 2)
        self.error(run_program("cpm-train", "--resume", run, "--steps", 9), 64, "--resume", "stagewise", "got: train.steps = 9")

    def test_last_only_is_a_weight_of_zero(self):
        steps = ("--steps", 3)
        runs = [self.train("flag", *DATA, *steps, "--no-intermediate-supervision"),
                self.train("weights", *DATA, *steps, "--set", "supervision.weights=[0, 1]")]
        self.assertTrue(self.weights(runs[0]) == self.weights(runs[1]))
        for run in runs:
            log = (run / "train.log").read_text(encoding="utf-8")
            self.assertIn("supervise the last stage only\n", log)
        halved = self.train("halved", *DATA, *steps, "--set", "supervision.weights=[0.5, 1]")
        row = read_csv(halved / "metrics.csv")[0][0]
        self.assertAlmostEqual(row["loss"], 0.5 * row["loss_stage1"] + row["loss_stage2"], delta=1e-6 * row["loss"])

    def test_frozen_stage_keeps_its_weights(self):
        start = self.folder / "start.safetensors"
        write_safetensors(start, network())
        before = read_safetensors(start)[0]
        for frozen in (1, 2):
            run = self.train(f"frozen-{frozen}", *DATA, "--steps", 2, "--weights", start, "--set", f"supervision.frozen=[{frozen}]")
            for name, tensor in read_safetensors(run / "weights.safetensors")[0].items():
                self.assertEqual(tensor == before[name], stage(name) == frozen, name)

    def test_mistakes(self):
        out = self.folder / "out"
        stagewise = "supervision.schedule=stagewise"
        for settings, parts in (
                (["supervision.frozen=[3]"], ("supervision.frozen", "expected: 1-2", "got: 3", "hint: ")),
                (["supervision.frozen=[1, 2]"], ("supervision.frozen", "nothing would learn", "hint: ")),
                (["supervision.frozen=[1.5]"], ("supervision.frozen", "integers", "got: the number 1.5")),
                (["supervision.frozen=[0]"], ("supervision.frozen", "expected: ", "got: 0")),
                (["supervision.frozen=[1, 1, 1, 1, 1, 1, 1]"], ("supervision.frozen", "at most 6", "7 items")),
                (["supervision.weights=[0, 0]"], ("supervision.weights", "no stage's loss counts", "hint: ")),
                (["supervision.weights=[1, -1]"], ("supervision.weights", "expected: ", "got: -1")),
                (["supervision.schedule=stagwise"], ("supervision.schedule", 'did you mean "stagewise"?')),
                ([stagewise, "supervision.weights=[1, 2]"], ("supervision.schedule", "weights", "hint: ")),
                ([stagewise, "train.intermediate_supervision=false"], ("supervision.schedule", "hint: ")),
                ([stagewise, "supervision.stage_steps=[1]"], ("supervision.stage_steps", "expected: 2", "got: 1", "hint: ")),
                (["supervision.stage_steps=[1, 1]"], ("supervision.stage_steps", "stagewise", "hint: ")),
                (["supervision.freeze=[1]"], ("supervision.freeze", "did you mean supervision.frozen?"))):
            with self.subTest(settings):
                arguments = [word for setting in settings for word in ("--set", setting)]
                self.error(run_program("cpm-train", *DATA, "--out", out, *arguments), 64, *parts)
                self.assertFalse(out.exists())
        line = self.error(run_program("cpm-train", *DATA, "--out", out, "--set", stagewise, "--steps", 1), 64)
        self.assertIn("stage 1 would get no step", line.line)
        run = self.train("run", *STAGEWISE)
        self.error(run_program("cpm-train", "--resume", run, "--steps", 2 * STEPS), 64, "--resume", "stagewise", "hint: ")


if __name__ == "__main__":
    main()
