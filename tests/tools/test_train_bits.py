"""The same training gives the same weights, byte for byte: from run to run, for any number of threads, and through
kills, terminations and resumes at any moment."""

import json
import random
import shutil
import signal
import subprocess
import time

from support import LIMIT, STAGES, TINY, Case, command, main, read_csv

STEPS = 36
ARGUMENTS = ("--data", "synthetic:40", "--steps", STEPS, "--seed", 5, "--set", "optim.lr=0.001", *TINY)


def wait_for(condition, process):
    """Until the condition holds or the process has ended."""
    deadline = time.monotonic() + LIMIT
    while process.poll() is None and not condition():
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError
        time.sleep(0.002)


class Bits(Case):
    @classmethod
    def setUpClass(cls):
        cls.reference = None

    def train(self, name, *more, code=0):
        """A training of the ARGUMENTS; returns its directory."""
        out = self.folder / name
        done = subprocess.run(command("cpm-train", *ARGUMENTS, "--out", out, *more), capture_output=True, text=True,
                              timeout=LIMIT, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return out

    def weights(self, run):
        return (run / "weights.safetensors").read_bytes()

    def expected(self):
        """The weights of an undisturbed training, made once."""
        if Bits.reference is None:
            Bits.reference = self.weights(self.train("reference", "--threads", 2))
        return Bits.reference

    def check_metrics(self, run, steps=STEPS):
        """One row a step, the documented columns, the clock running on over resumes."""
        rows, columns = read_csv(run / "metrics.csv")
        stages = [f"loss_stage{t}" for t in range(1, STAGES + 1)]
        self.assertEqual(columns[:4 + STAGES + 3],
                         ["step", "epoch", "samples", "loss", *stages, "lr", "grad_norm", "seconds"])
        self.assertEqual([row["step"] for row in rows], list(range(1, steps + 1)))
        for row in rows:
            self.assertEqual(row["samples"], 4 * row["step"])
            self.assertAlmostEqual(row["epoch"], row["samples"] / 40, places=6)
            self.assertLess(abs(row["loss"] - sum(row[t] for t in stages)), 1e-6 * row["loss"])
        clock = [row["seconds"] for row in rows]
        self.assertEqual(clock, sorted(clock))
        self.assertGreater(clock[0], 0)
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        self.assertEqual([json.loads(line) for line in lines], rows)
        return rows

    def check_finished(self, run):
        self.assertTrue(self.weights(run) == self.expected())
        self.check_metrics(run)
        status = json.loads((run / "status.json").read_text(encoding="utf-8"))
        self.assertEqual((status["state"], status["step"], status["steps"]), ("finished", STEPS, STEPS))
        self.assertEqual([path for path in run.rglob(".*") if ".tmp." in path.name], [])

    def test_threads(self):
        losses = set()
        for name, more in {"again": ("--threads", 2), "one": ("--threads", 1), "three": ("--threads", 3),
                           "loaders": ("--threads", 1, "--set", "data.loader_threads=2"),
                           "no loaders": ("--threads", 3, "--set", "data.loader_threads=0"),
                           "saving": ("--checkpoint-every", 5)}.items():
            with self.subTest(name):
                run = self.train(name, *more)
                self.check_finished(run)
                losses.add(tuple(row["loss"] for row in read_csv(run / "metrics.csv")[0]))
        self.assertEqual(len(losses), 1)

    def test_other_seed_differs(self):
        out = self.folder / "other"
        arguments = [6 if a == 5 else a for a in ARGUMENTS]
        subprocess.run(command("cpm-train", *arguments, "--out", out), capture_output=True, timeout=LIMIT, check=True)
        self.assertFalse(self.weights(out) == self.expected())

    def test_killed_and_resumed(self):
        """kill -9 at moments spread over the whole training, some while a checkpoint is being written."""
        rng = random.Random(11)
        start = time.monotonic()
        self.train("timing", "--checkpoint-every", 2)
        whole = time.monotonic() - start
        for i in range(5):
            with self.subTest(i):
                moment = whole * (i + rng.random()) / 5
                self.kill_until_finished(self.folder / f"run{i}", lambda: self.clock(moment))

    def clock(self, seconds):
        end = time.monotonic() + seconds
        return lambda: time.monotonic() >= end

    def test_killed_while_saving(self):
        """Killed as soon as the temporary file of a checkpoint is seen: the file before it must do."""
        out = self.folder / "saving"

        saving = lambda: any((out / "ckpt").glob(".step-*"))
        self.assertGreater(self.kill_until_finished(out, lambda: saving, kills=3), 0)

    def kill_until_finished(self, out, make_condition, kills=2):
        """Starts the training, or resumes it, until it ends; kills it so many times. Returns how often it was."""
        killed = 0
        while True:
            # A run killed before its run.toml was there is none yet: the same command starts it again.
            resume = ("--resume",) if (out / "run.toml").exists() else ()
            with subprocess.Popen(command("cpm-train", *ARGUMENTS, "--out", out, "--checkpoint-every", 2, *resume),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
                if killed < kills:
                    wait_for(make_condition(), process)
                    process.kill()
                _, err = process.communicate(timeout=LIMIT)
            if process.returncode == 0:
                break
            self.assertEqual((process.returncode, killed < kills), (-signal.SIGKILL, True), err)
            killed += 1
        self.check_finished(out)
        return killed

    def start(self, name, *more):
        out = self.folder / name
        process = subprocess.Popen(command("cpm-train", *ARGUMENTS, "--out", out, *more), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        return out, process

    def rows(self, run):
        csv = run / "metrics.csv"
        return max(0, csv.read_bytes().count(b"\n") - 1) if csv.exists() else 0

    def test_terminated_and_resumed(self):
        out, process = self.start("terminated")
        wait_for(lambda: self.rows(out) >= 7, process)
        before = self.rows(out)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(LIMIT), 75)
        made = self.rows(out)
        self.assertLessEqual(made - before, 2)  # the step under way, and one that ended as the signal was sent
        status = json.loads((out / "status.json").read_text(encoding="utf-8"))
        self.assertEqual((status["state"], status["step"]), ("interrupted", made))
        self.assertEqual([path.name for path in (out / "ckpt").glob("step-*")], [f"step-{made:08}.ckpt"])
        self.assertFalse((out / "weights.safetensors").exists())
        self.assertIn(f"Interrupted after step {made} of {STEPS}.", (out / "report.html").read_text(encoding="utf-8"))
        self.check_metrics(out, made)
        copy = self.folder / "copy"
        shutil.copytree(out, copy, symlinks=True)  # a run may be moved before it goes on
        subprocess.run(command("cpm-train", "--resume", copy), capture_output=True, timeout=LIMIT, check=True)
        self.check_finished(copy)

    def test_saved_on_request(self):
        out, process = self.start("asked")
        wait_for(lambda: self.rows(out) >= 3, process)
        process.send_signal(signal.SIGUSR1)
        wait_for(lambda: any((out / "ckpt").glob("step-*")), process)
        first = min(path.name for path in (out / "ckpt").glob("step-*"))
        self.assertLess(first, f"step-{STEPS:08}.ckpt")
        self.assertEqual(process.wait(LIMIT), 0)
        self.check_finished(out)

    def test_interrupted_twice(self):
        """The second interrupt ends the program at once. Steps are long here, so that both fall into one."""
        arguments = ("--data", "synthetic:4", "--steps", 50, "--batch", 32, "--set", "model.stages=2", "--set",
                     "model.width=0.25", "--set", "data.input=128")
        for attempt in range(5):
            out = self.folder / f"twice{attempt}"
            with subprocess.Popen(command("cpm-train", *arguments, "--out", out), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE) as process:
                wait_for(lambda: self.rows(out) >= 1, process)
                process.send_signal(signal.SIGINT)
                time.sleep(0.02)
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=LIMIT)
            if process.returncode == 130:
                return
            self.assertEqual(process.returncode, 75, err)  # the step ended between the two
        self.fail("five times the first interrupt was enough")

    def test_finished_run_is_left_as_it_is(self):
        run = self.train("done")
        kept = {name: (run / name).read_bytes() for name in ("report.html", "env.json", "run.toml", "metrics.csv")}
        again = subprocess.run(command("cpm-train", "--resume", run), capture_output=True, timeout=LIMIT, check=True,
                               text=True)
        self.assertIn(f"had finished after {STEPS} steps", again.stdout)
        self.check_finished(run)
        self.assertEqual(kept, {name: (run / name).read_bytes() for name in kept})

    def test_resume_for_more_steps(self):
        """--steps may grow on resume; the result is that of the longer training."""
        out = self.folder / "more"
        short = [12 if a == STEPS else a for a in ARGUMENTS]
        subprocess.run(command("cpm-train", *short, "--out", out), capture_output=True, timeout=LIMIT, check=True)
        self.assertFalse(self.weights(out) == self.expected())
        subprocess.run(command("cpm-train", "--resume", out, "--steps", STEPS), capture_output=True, timeout=LIMIT,
                       check=True)
        self.check_finished(out)
        env = json.loads((out / "env.json").read_text())
        self.assertIn("12", env["argv"])  # how the run began
        self.assertEqual([len(r["argv"]) for r in env["resumes"]], [5])


if __name__ == "__main__":
    main()
