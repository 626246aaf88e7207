"""--tune: what is timed and kept, and that a run and its resumes follow it. Where a choice is checked, the cache was
given its times here; no test depends on who is quick."""

import json
import re

from support import BIN, TINY, Case, main, run

TRAIN = ("cpm-train", "--data", "synthetic:12", *TINY, "--threads", 1)
BENCH = ("bench_cpm", "--size", 8, "--stages", 1, "--width", "0.0625", "--samples", 1, "--threads", 1)
VIRTUAL_GPU = BIN.parent / "vgpu"


class Tune(Case):
    def tuned(self, *arguments):
        return self.ok(*arguments, "--tune", XDG_CACHE_HOME=str(self.folder / "cache"))

    def train(self, name, *more):
        """A training of one step with --tune: its directory, and what it said on stderr."""
        out = self.folder / name
        return out, self.tuned(*TRAIN, "--steps", 1, "--out", out, *more).err

    def cache(self):
        (file,) = (self.folder / "cache/cpm").iterdir()
        return file

    def prefer(self, *wanted):
        """In the cache, the first row of `wanted` that there is takes half of what every other takes."""
        document = json.loads(self.cache().read_text(encoding="utf-8"))
        for rows in document["seconds"].values():
            best = next(row for row in wanted if row in rows)
            rows.update({name: 1 if name == best else 2 for name in rows})
        self.cache().write_text(json.dumps(document), encoding="utf-8")

    def times(self):
        return json.loads(self.cache().read_text(encoding="utf-8"))["seconds"]

    def counts(self, err):
        """How many problems had a choice, and how many were to be timed."""
        return tuple(map(int, re.search(r"(?m)^tuning: (\d+) convolutions have a choice of rows, (\d+) are to be timed$",
                                        err).groups()))

    def plan(self, out):
        return json.loads((out / "plan.json").read_text(encoding="utf-8"))

    def check_plan(self, out, *wanted):
        """The first row of `wanted` that there is, wherever there was a choice."""
        known = self.times()
        chosen = {key: name for key, name in self.plan(out).items() if key in known}
        self.assertEqual(chosen, {key: next(row for row in wanted if row in known[key]) for key in chosen})
        self.assertEqual(set(chosen.values()), set(wanted))

    def header(self, out):
        """Who chose the rows, as the log says it, once for each start."""
        lines = (out / "train.log").read_text(encoding="utf-8").splitlines()
        return [line.split(" (")[0] for line in lines if line.startswith("convolution rows, ")]

    def test_training(self):
        first, err = self.train("first")
        lines = [line for line in err.splitlines() if line.startswith("tuning ")]
        problems = len(lines)
        self.assertEqual(self.counts(err), (problems, problems))
        self.assertGreater(problems, 20)
        for i, line in enumerate(lines):
            self.assertRegex(line, rf"^tuning {i + 1}/{problems}: \w+ mb\S+ \w+: cpu.direct [\d.e-]+ ms(, cpu.fft [\d.e-]+ ms)?(, cpu.gemm [\d.e-]+ ms)?(, cpu.outer [\d.e-]+ ms)?$")
        plan = self.plan(first)
        self.assertEqual({key: min(rows, key=rows.get) for key, rows in self.times().items()},
                         {key: plan[key] for key in self.times()})
        self.assertEqual(self.header(first), ["convolution rows, timed here"])

        # What is known is not timed again: equal plans, and so equal weights.
        second, err = self.train("second")
        self.assertEqual(self.counts(err), (problems, 0))
        self.assertNotIn("tuning 1/", err)
        self.assertEqual(self.plan(second), plan)
        self.assertTrue((second / "weights.safetensors").read_bytes() == (first / "weights.safetensors").read_bytes())

        # The quickest runs, in every layer; validation's problems are timed too, and kept in the plan.
        self.prefer("cpu.fft", "cpu.outer")
        validated, err = self.train("validated", "--val", "synthetic:3")
        self.assertGreater(self.counts(err)[0], problems)
        self.assertEqual(self.counts(err)[1], self.counts(err)[0] - problems)
        self.prefer("cpu.fft", "cpu.outer")
        fft, err = self.train("fft", "--val", "synthetic:3")
        self.assertEqual(set(self.plan(fft)), set(self.plan(validated)))
        self.assertLess(set(plan), set(self.plan(fft)))
        self.check_plan(fft, "cpu.fft", "cpu.outer")

        # A run goes on with the rows that it kept, whatever the cache says now, and is not tuned again.
        self.prefer("cpu.direct")
        result = self.tuned("cpm-train", "--resume", fft, "--steps", 2)
        self.assertNotIn("tuning", result.err)
        self.assertIn("tune      not again: the run goes on with the rows that it kept\n", result.out)
        self.check_plan(fft, "cpu.fft", "cpu.outer")
        self.assertEqual(self.header(fft), ["convolution rows, timed here", "convolution rows, as the run kept them"])
        direct, _ = self.train("direct")
        self.assertEqual(set(self.plan(direct).values()), {"cpu.direct"})

        # Without --tune nothing is read and nothing timed.
        self.prefer("cpu.fft", "cpu.outer")
        ruled = self.folder / "ruled"
        result = self.ok(*TRAIN, "--steps", 1, "--out", ruled, XDG_CACHE_HOME=str(self.folder / "cache"))
        self.assertNotIn("tuning", result.err)
        self.assertEqual(self.header(ruled), ["convolution rows, by the fixed rule"])
        self.assertEqual(set(self.plan(ruled).values()), {"cpu.direct", "cpu.fft"})

    def test_benchmark_and_damaged_cache(self):
        """bench_cpm follows the times too; a damaged file is a warning and is replaced."""
        self.tuned(*BENCH, "--mode", "forward")
        for row, other in (("cpu.fft", "cpu.direct"), ("cpu.direct", "cpu.fft")):
            self.prefer(row)
            err = self.tuned(*BENCH, "--mode", "forward").err
            self.assertIn(f"{row}: 7 of 7 convolutions\n", err)
            self.assertNotIn(other + ":", err)
        self.cache().write_text("{", encoding="utf-8")
        err = self.tuned(*BENCH, "--mode", "forward").err
        self.assertIn(f"warning: {self.cache()} is left out, and what it holds timed anew: damaged\n", err)
        self.assertEqual(self.counts(err), (7, 7))
        self.assertEqual(self.counts(self.tuned(*BENCH, "--mode", "forward").err), (7, 0))
        self.error(run(*BENCH, "--tune", "--algo", "cpu.fft"), 64, "--tune", "--algo")

    def test_no_place_for_the_cache(self):
        (self.folder / "cache").write_text("a file", encoding="utf-8")
        err = self.tuned(*BENCH, "--mode", "forward").err
        self.assertEqual(err.count("warning: times of convolution rows are not kept: "), 1, err)
        self.assertIn("tuning 7/7: ", err)

    def test_virtual_gpu_is_not_timed(self):
        if not (VIRTUAL_GPU / "libcudart.so.13").exists():
            self.skipTest("this build has no virtual GPU")
        err = self.ok(*BENCH, "--mode", "forward", "--device", "cuda", "--tune", LD_LIBRARY_PATH=str(VIRTUAL_GPU),
                      XDG_CACHE_HOME=str(self.folder / "cache")).err
        self.assertIn("warning: a virtual device's times mean nothing: the fixed rule chooses the convolution rows\n", err)
        self.assertFalse((self.folder / "cache").exists())


if __name__ == "__main__":
    main()
