"""What goes wrong while a program works: damaged checkpoints, full disks, training that diverges; and names that are strange
but right. What is refused at once is test_audit.py's."""

import resource
import shutil

from support import PROGRAMS, TINY, Case, main, network, picture, raw_tensors, run, tree, write_safetensors

# Names that a shell, a terminal or a format string could trip over.
NAMES = ("two words", "it's", 'say "hi"', "$(id)", "; rm -rf x", "%s%n", "line\nbreak", "tab\t", "\x1b[31mred", "-dash",
         "ünï cödé 日本", "a,1-3", "a:b", "~", "*")


class Mistakes(Case):
    def setUp(self):
        super().setUp()
        self.inputs = self.folder / "in"
        self.inputs.mkdir()
        self.weights = self.inputs / "w.safetensors"
        write_safetensors(self.weights, network(), {"input": "64"})
        self.raw = self.inputs / "raw.safetensors"
        write_safetensors(self.raw, raw_tensors())
        self.image = self.inputs / "p.png"
        self.image.write_bytes(picture(20, 20))
        self.out = self.folder / "out"

    def train(self, *more, data="synthetic:4", steps=1, out=None):
        return ("cpm-train", "--data", data, *TINY, "--steps", steps, "--out", out or self.out, *more)

    def test_help_and_version(self):
        for program in PROGRAMS:
            for flag in ("--help", "-h", "--version"):
                result = self.ok(program, flag)
                self.assertEqual(result.err, "")
                self.assertIn(program, result.out)
                self.assertLessEqual(max(map(len, result.out.split("\n"))), 100)

    def test_resume_with_another_network(self):
        """Behind the same settings: the checkpoint says so."""
        self.ok(*self.train())
        toml = self.out / "run.toml"
        toml.write_text(toml.read_text(encoding="utf-8").replace("width = 0.0625", "width = 0.125 "), encoding="utf-8")
        before = tree(self.out / "ckpt")
        self.error(run("cpm-train", "--resume", self.out, "--steps", 3), 65, "checkpoint of another network", "expected: ")
        self.assertEqual(tree(self.out / "ckpt"), before)

    def test_damaged_checkpoints(self):
        """The newest sound one is taken; with none left, training starts again."""
        self.ok(*self.train("--checkpoint-every", 1, steps=4))
        whole = (self.out / "weights.safetensors").read_bytes()
        checkpoints = sorted((self.out / "ckpt").glob("step-*.ckpt"))
        self.assertEqual([path.name for path in checkpoints][-1], "step-00000004.ckpt")
        for damaged, damage in ((checkpoints[-1:], lambda data: data[:-1]), (checkpoints[-1:], lambda _: b""),
                                (checkpoints[-2:], lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]),
                                (checkpoints, lambda data: data[: len(data) // 2])):
            for path in damaged:
                path.write_bytes(damage(path.read_bytes()))
            (self.out / "weights.safetensors").unlink()
            result = self.ok("cpm-train", "--resume", self.out)
            self.assertEqual(result.err.count("warning: skipping a damaged checkpoint"), len(damaged))
            for path in damaged:
                self.assertIn(path.name, result.err)
            self.assertTrue((self.out / "weights.safetensors").read_bytes() == whole)

    def test_strange_names(self):
        """They are names, nothing more, and are used where they are there."""
        for i, name in enumerate(NAMES):
            with self.subTest(name):
                folder = self.folder / f"{i}" / name
                folder.mkdir(parents=True)
                shutil.copy(self.weights, folder / name)
                shutil.copy(self.image, folder / f"{name}.png")
                self.ok("cpm-infer", "--weights", folder / name, "--out", folder / "o u t", folder / f"{name}.png")
                self.assertEqual({path.name for path in (folder / "o u t").iterdir()}, {f"{name}.png", "keypoints.json"})
        for name in ("two words", "; rm -rf x", "line\nbreak", "日本", '"q"'):
            out = self.folder / name
            self.ok(*self.train("--weights", self.weights, out=out))
            self.ok("cpm-train", "--resume", out, "--steps", 2)

    def test_full_disk(self):
        """A limit on the size of files stands in for the disk: what is larger than the limit cannot be written. Weights
        take 0.26 MB here, checkpoints 0.8 MB."""
        def limit(size):
            return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        every = ("--checkpoint-every", 1)
        # At the checkpoints: training goes on with a warning each; the last save of all is an error.
        result = run(*self.train(*every, steps=4), before=limit(600_000))
        self.error(result, 74, "step-00000004.ckpt", "expected: ", "got: ", "hint: ")
        self.assertEqual(result.err.count("warning: no checkpoint at step"), 3)
        self.assertEqual(list((self.out / "ckpt").iterdir()), [])
        self.assertIn('"failed"', (self.out / "status.json").read_text(encoding="utf-8"))
        # The disk has room again: the run goes on.
        self.ok("cpm-train", "--resume", self.out, "--steps", 3)
        # Full again: the last good checkpoint and the old weights stay.
        good = tree(self.out / "ckpt"), (self.out / "weights.safetensors").read_bytes()
        self.error(run("cpm-train", "--resume", self.out, "--steps", 6, before=limit(600_000)), 74, "step-00000006.ckpt")
        self.assertEqual((tree(self.out / "ckpt"), (self.out / "weights.safetensors").read_bytes()), good)
        self.ok("cpm-train", "--resume", self.out, "--steps", 6)
        fresh = self.folder / "fresh"
        self.ok(*self.train(*every, steps=6, out=fresh))
        self.assertTrue((fresh / "weights.safetensors").read_bytes() == (self.out / "weights.safetensors").read_bytes())
        # The other programs.
        before = tree(self.folder)
        self.error(run("cpm-grad", "--weights", self.weights, "--raw-input", self.raw, "--out", self.folder / "g",
                       before=limit(100_000)), 74, str(self.folder / "g"))
        self.assertEqual(tree(self.folder), before)

    def test_a_run_that_breaks_says_so(self):
        """Weights that explode: exit code 1, status "failed", the last good weights kept."""
        arguments = self.train("--set", "optim.lr=1e30", "--checkpoint-every", 1, steps=20)
        self.error(run(*arguments), 1, "diverged", "expected: ", "got: ", "optim.lr")
        self.assertIn('"failed"', (self.out / "status.json").read_text(encoding="utf-8"))
        self.assertFalse((self.out / "weights.safetensors").exists())


if __name__ == "__main__":
    main()
