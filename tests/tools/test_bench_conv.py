"""bench_conv on shapes so small that a sample takes milliseconds: what it prints and writes, how it selects, what it
refuses. That a wrong row gets no time is tests/engine/conv_bench_test.cpp."""

import csv
import io
import json
import re
import subprocess

from support import BIN, LIMIT, SOURCE, Case, command, main, run

SHAPE = 'mb2_ic3ih9_oc4oh9_kh3_n"tiny"'
QUICK = ("--samples", 2, "--threads", 1)
KEYS = {"name", "algo", "direction", "batch", "median_s", "min_s", "gflops_effective", "gflops_executed", "ratio", "error"}
ALL = "*"
VIRTUAL_GPU = BIN.parent / "vgpu"


class Bench(Case):
    def rows(self, *arguments):
        return json.loads(self.ok("bench_conv", *QUICK, *arguments, "--json", "-").out)

    def test_json(self):
        rows = self.rows("--shape", SHAPE, "--algo", ALL)
        self.assertGreaterEqual(len(rows), 6)
        self.assertEqual({row["direction"] for row in rows}, {"fprop", "dgrad", "wgrad"})
        for row in rows:
            self.assertLessEqual(KEYS, set(row))
            self.assertEqual((row["name"], row["batch"], row["problem"]), ("tiny", 2, "mb2_ic3ih9_oc4oh9_kh3ph1"))
            self.assertEqual(row["verdict"], "right")
            self.assertLessEqual(row["error"], row["error_bound"])
            self.assertGreater(row["median_s"], 0)
            self.assertLessEqual(row["min_s"], row["median_s"])
            self.assertEqual(row["flops_effective"], 2 * 2 * 4 * 81 * 27)
            self.assertAlmostEqual(row["gflops_effective"], row["flops_effective"] / row["median_s"] * 1e-9, places=6)
            self.assertGreaterEqual(row["samples_tried"], row["samples_kept"])
            self.assertGreater(min(row["peak_gflops"], row["peak_copy_gb_per_s"], row["peak_triad_gb_per_s"]), 0)
            self.assertEqual((row["device"], row["threads"]), ("cpu", 1))
        for direction in ("fprop", "dgrad", "wgrad"):
            group = [row for row in rows if row["direction"] == direction]
            medians = {row["algo"]: row["median_s"] for row in group}
            for row in group:
                self.assertNotIn("cpu.reference", row["reference"])
                self.assertAlmostEqual(row["ratio"], medians[row["reference"]] / row["median_s"])

    def test_roof_and_detail(self):
        rows = self.rows("--shape", 'ic16ih30_oc16oh30_kh9_n"large kernel"', "--direction", "fprop", "--algo", "cpu.*")
        self.assertIn("cpu.fft", {row["algo"] for row in rows})
        for row in rows:
            arithmetic = row["flops_executed"] / row["peak_gflops"] * 1e-9
            memory = row["bytes"] / row["peak_triad_gb_per_s"] * 1e-9
            self.assertAlmostEqual(row["roof_s"] / max(arithmetic, memory), 1)
            self.assertEqual(row["roof_bound"], "arithmetic" if arithmetic >= memory else "memory")
            self.assertAlmostEqual(row["percent_of_roof"], 100 * row["roof_s"] / row["median_s"])
            self.assertAlmostEqual(row["percent_of_triad"], 100 * row["gb_per_s"] / row["peak_triad_gb_per_s"])
            if row["algo"] != "cpu.fft":
                self.assertEqual(row["detail"], "")
                continue
            tile, down, across, group = map(int, re.fullmatch(r"T(\d+), (\d+)x(\d+) tiles, (\d+) at a time",
                                                              row["detail"]).groups())
            # They cover the output: a tile gives T - 8 of its pixels, and a single one what the paddings leave of it.
            for count in (down, across):
                self.assertTrue(count * (tile - 8) >= 30 > (count - 1) * (tile - 8) or (count == 1 and tile >= 34), row["detail"])
            self.assertIn(group, range(1, down * across + 1))

    def test_on_request(self):
        """One sample for each line, and an error line for what is no problem's place."""
        arguments = ("--threads", 1, "--shape", SHAPE, "--shape", "ic2ih5oc3kh3", "--direction", "wgrad,fprop", "--on-request")
        done = subprocess.run(command("bench_conv", *arguments), input="3\n0\n0\n", capture_output=True, text=True,
                              check=True, timeout=LIMIT)
        ready, *samples = map(json.loads, done.stdout.splitlines())
        self.assertEqual((ready["device"], ready["threads"]), ("cpu", 1))
        self.assertGreater(min(ready["peak_gflops"], ready["peak_copy_gb_per_s"], ready["peak_triad_gb_per_s"]), 0)
        problems = ready["problems"]
        self.assertEqual([(p["name"], p["direction"]) for p in problems],
                         [(name, direction) for name in ("tiny", "ic2ih5oc3kh3") for direction in ("fprop", "wgrad")])
        self.assertEqual([problems[0][key] for key in ("N", "C", "H", "W", "K", "R", "S", "pad_h", "pad_w", "stride")],
                         [2, 3, 9, 9, 4, 3, 3, 1, 1, 1])
        self.assertEqual([sample["algo"] for sample in samples], [problems[i]["algo"] for i in (3, 0, 0)])
        self.assertEqual([sample["flops_effective"] for sample in samples],
                         [2 * 3 * 9 * 18, 2 * 2 * 4 * 81 * 27, 2 * 2 * 4 * 81 * 27])
        for sample in samples:
            self.assertGreater(min(sample["seconds"], sample["busy"], sample["calls"]), 0)
        named = subprocess.run(command("bench_conv", *arguments, "--algo", "cpu.ref*"), input="4\n", capture_output=True,
                               text=True, check=False, timeout=LIMIT)
        self.assertEqual({p["algo"] for p in json.loads(named.stdout)["problems"]}, {"cpu.reference"})
        self.assertEqual(named.returncode, 64)
        self.assertIn("error: standard input: not the place of a problem | expected: a number below 4 | got: 4", named.stderr)
        self.error(run("bench_conv", *arguments, "--check"), 64, "--on-request")

    def test_table_markdown_and_csv(self):
        result = self.ok("bench_conv", *QUICK, "--shape", SHAPE, "--direction", "fprop")
        head, body, summary = result.out.split("\n\n")
        self.assertRegex(summary, r"^rule: over 1 problems its row takes at most \d+\.\d\d of the quickest row's time")
        self.assertRegex(head, r"(?m)^device: cpu, 1 threads, \w+$")
        self.assertRegex(head, r"(?m)^peaks, measured here: FMA [\d.]+ GFLOP/s, copy [\d.]+ GB/s, triad [\d.]+ GB/s$")
        lines = body.splitlines()
        self.assertGreaterEqual(len(lines), 2)
        self.assertEqual(len({len(line) for line in lines}), 1, body)
        self.assertEqual(lines[0].split()[:4], ["shape", "direction", "batch", "algo"])
        file = self.folder / "rows.csv"
        result = self.ok("bench_conv", *QUICK, "--shape", SHAPE, "--direction", "fprop", "--markdown", "--csv", file)
        table = [line for line in result.out.splitlines() if line.startswith("|")]
        self.assertRegex(table[1], r"^[| :-]+$")
        self.assertEqual({line.count("|") for line in table}, {table[0].count("|")})
        rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
        self.assertEqual(len(rows), len(table) - 2)
        self.assertLessEqual(KEYS, set(rows[0]))
        self.assertGreater(float(rows[0]["median_s"]), 0)

    def test_rule(self):
        """One row of every problem is the rule's; the summary is what the rows' medians say, without the references."""
        file = self.folder / "rows.json"
        out = self.ok("bench_conv", *QUICK, "--shape", SHAPE, "--shape", "ic2ih5oc3kh3", "--algo", ALL, "--json", file).out
        groups = {}
        for row in json.loads(file.read_text(encoding="utf-8")):
            groups.setdefault((row["name"], row["batch"], row["direction"]), []).append(row)
        ratios, sums = {}, [0, 0]
        for key, rows in groups.items():
            ruled = [row for row in rows if row["rule"] == "yes"]
            self.assertEqual(len(ruled), 1, key)
            quickest = min((row for row in rows if row["algo"] != "cpu.reference"), key=lambda row: row["median_s"])
            ratios[key] = ruled[0]["median_s"] / quickest["median_s"]
            sums = [sums[0] + ruled[0]["median_s"], sums[1] + quickest["median_s"]]
        worst = max(ratios, key=ratios.get)
        line = out.rstrip("\n").rsplit("\n", 1)[1]
        self.assertIn(f"rule: over {len(groups)} problems its row takes at most {ratios[worst]:.2f} of the quickest", line)
        if ratios[worst] > 1:
            self.assertIn(f"({worst[0]} {worst[2]} batch {worst[1]}: ", line)
        self.assertTrue(line.endswith(f"{sums[0] / sums[1]:.2f} in sum"), line)
        # Without a choice, or a time, there is nothing to say.
        for arguments in (("--algo", "cpu.direct"), ("--check",)):
            self.assertNotIn("rule:", self.ok("bench_conv", *QUICK, "--shape", SHAPE, *arguments).out)

    def test_standard_output_belongs_to_the_format(self):
        result = self.ok("bench_conv", *QUICK, "--shape", 'ic1ih3oc1kh3_n"a,b"', "--direction", "fprop", "--csv", "-")
        rows = list(csv.reader(io.StringIO(result.out)))
        self.assertEqual(rows[1][0], "a,b")
        self.assertIn("peaks, measured here", result.err)

    def test_selection(self):
        rows = self.rows("--shape", "ic2ih5oc3kh3", "--shape", SHAPE, "--batch", "1,3", "--direction", "wgrad,fprop",
                         "--algo", "cpu.ref*")
        self.assertEqual([(row["name"], row["batch"], row["direction"]) for row in rows],
                         [(name, batch, direction) for name in ("ic2ih5oc3kh3", "tiny") for batch in (1, 3)
                          for direction in ("fprop", "wgrad")])
        self.assertEqual({row["algo"] for row in rows}, {"cpu.reference"})
        self.assertEqual({row["ratio"] for row in rows}, {1})
        rows = self.rows("--shape", SHAPE, "--direction", "dgrad", "--reference", "cpu.reference")
        self.assertEqual({row["reference"] for row in rows}, {"cpu.reference"})
        self.assertIn("cpu.reference", {row["algo"] for row in rows})
        # Without --algo the references stay away: they take minutes on large shapes.
        self.assertNotIn("cpu.reference", {row["algo"] for row in self.rows("--shape", SHAPE, "--direction", "dgrad")})

    def test_shapes_of_a_file(self):
        file = self.folder / "shapes.txt"
        file.write_text('# two\nic2ih5_oc3_kh3_n"one"\nmb2_ic2ih5_oc3_kh1_n"two"\n', encoding="utf-8")
        rows = self.rows("--shapes", file, "--direction", "fprop")
        self.assertEqual([(row["name"], row["batch"]) for row in rows if row["algo"] == rows[0]["algo"]],
                         [("one", 1), ("two", 2)])
        rows = self.rows("--shapes", file, "--shape", "t*", "--direction", "fprop")
        self.assertEqual({row["name"] for row in rows}, {"two"})
        rows = self.rows("--shape", "K", "--direction", "fprop", "--shapes", SOURCE / "data/shapes/cpm.txt", "--check")
        self.assertEqual({(row["problem"], row["median_s"], row["ratio"], row["peak_gflops"]) for row in rows},
                         {("mb1_ic128ih46_oc15oh46_kh1ph0", None, None, None)})

    def test_virtual_gpu_checks_but_does_not_time(self):
        """At sizes that it can bear, whatever the shape."""
        if not (VIRTUAL_GPU / "libcudart.so.13").exists():
            self.skipTest("this build has no virtual GPU")
        environment = {"LD_LIBRARY_PATH": str(VIRTUAL_GPU)}
        shapes = ("--shape", 'mb16_ic128ih184_oc128oh184_kh9ph4_n"big"', "--shape", SHAPE)
        done = run("bench_conv", *shapes, "--device", "cuda", "--algo", ALL, "--json", "-", **environment)
        self.assertEqual(done.code, 0, done)
        self.assertIn("clocks: unknown", done.err)
        self.assertIn("virtual device: no times; shapes cut to at most 2 million multiply-adds", done.err)
        rows = json.loads(done.out)
        self.assertGreaterEqual(len(rows), 6)
        for row in rows:
            self.assertTrue(row["device"].startswith("vgpu"), row)
            self.assertEqual((row["verdict"], row["median_s"], row["ratio"], row["peak_gflops"]), ("right", None, None, None))
            self.assertLessEqual(row["flops_effective"], 4e6)
        # "auto" never picks it.
        done = run("bench_conv", *QUICK, "--shape", SHAPE, "--check", "--json", "-", **environment)
        self.assertEqual({row["device"] for row in json.loads(done.out)}, {"cpu"})

    def test_help_and_version(self):
        for flag in ("--help", "--version"):
            result = self.ok("bench_conv", flag)
            self.assertIn("bench_conv", result.out)
            self.assertLessEqual(max(map(len, result.out.split("\n"))), 100)

    def test_mistakes(self):
        shape = ("--shape", SHAPE)
        bad = self.folder / "bad.txt"
        bad.write_text("ic2ih5oc3kh3\nic2ih5oc3kh3oh9ph0\n", encoding="utf-8")
        for code, parts, arguments in (
                (64, ("--algo", "cpu.drect", "did you mean cpu.direct?"), (*shape, "--algo", "cpu.drect")),
                (64, ("--algo", "nothing"), (*shape, "--algo", "")),
                (64, ("--reference", "did you mean cpu.reference?"), (*shape, "--reference", "cpu.refrence")),
                (64, ("--direction", "did you mean wgrad?"), (*shape, "--direction", "fprop,wgrd")),
                (64, ("--direction", "nothing"), (*shape, "--direction", "")),
                (64, ("--batch", "1,16", "0"), (*shape, "--batch", "1,0")),
                (64, ("--batch", "x"), (*shape, "--batch", "x")),
                (64, ("--samples", "got: 0"), (*shape, "--samples", 0)),
                (64, ("--samlpes", "did you mean --samples?"), (*shape, "--samlpes", 3)),
                (64, ("--threads", 'got: "x"'), (*shape, "--threads", "x")),
                (64, ("--threads", "5000"), (*shape, "--threads", 5000)),
                (64, ("--device", "gpu"), (*shape, "--device", "gpu")),
                (69, ("cuda:7",), (*shape, "--device", "cuda:7")),
                (64, ("--seconds", "got: -1"), (*shape, "--seconds", -1)),
                (64, ("--shape", "unknown field 'khh'"), ("--shape", "ic3ih9oc4khh3")),
                (64, ("--shape", "expected: oh7"), ("--shape", "ic3ih9oc4kh3oh9ph0")),
                (64, ("--shape", "got: Z"), ("--shape", "Z", "--shapes", SOURCE / "data/shapes/cpm.txt")),
                (65, ("bad.txt:2", "expected: "), ("--shapes", bad)),
                (65, ("none.txt", "--shapes"), ("--shapes", self.folder / "none.txt")),
                (64, ("--csv", "--json"), (*shape, "--csv", "-", "--json", "-"))):
            with self.subTest(parts):
                self.error(run("bench_conv", *arguments), code, *parts)
        for flag in ("--csv", "--json"):
            self.assertEqual(run("bench_conv", *QUICK, *shape, flag, self.folder / "no" / "file").code, 73)


if __name__ == "__main__":
    main()
