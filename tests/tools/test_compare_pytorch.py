"""tools/compare_pytorch.py: taking turns, judging samples and comparing numbers, with stand-ins for both sides; and, where
CPM_TEST_PYTORCH names a Python that can import torch, the real ones on small sizes."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

from support import BIN, CRASH, LIMIT, SOURCE, Case, Result, main

sys.path.insert(0, str(SOURCE / "tools"))
import compare_pytorch  # noqa: E402
from paired_samples import Failure, Peer, interleave, summary  # noqa: E402

PYTORCH = os.environ.get("CPM_TEST_PYTORCH", "")

# Answers like bench_cpm, bench_conv or the peer: seconds from a list, one after the other; says in a file that it was asked.
STAND_IN = """#!{python}
import json, sys
name, seconds, log, faults = {name!r}, {seconds!r}, {log!r}, {faults!r}
problem = dict(name="B", direction="wgrad", problem="p", N=2, algo="cpu.fft")
print(json.dumps(dict(threads=3, isa="none", peak_gflops=100, torch="0.1", onednn=True, problems=[problem])), flush=True)
for i, line in enumerate(sys.stdin):
    print(name, line.strip(), file=open(log, "a"))
    if line.strip() == "maps":
        print(json.dumps(dict(stage1=[1, 2, faults.get("map", 3)], stage2=[0.5])), flush=True)
        continue
    if i == faults.get("dies"):
        sys.exit(faults["says"])
    print(json.dumps(dict(seconds=seconds[i % len(seconds)], busy=faults.get("busy", 1), peak_rss_mb=100 + i, algo="cpu.fft",
                          loss=faults.get("loss", 5) - i, grad_norm=faults.get("norm", 7), detail="T9", error=1e-7,
                          flops_effective=4, flops_executed=2, workspace_bytes=1)), flush=True)
"""


def sample(seconds, busy=1.0):
    return {"seconds": seconds, "busy": busy}


class Turns(Case):
    def rounds(self, ours, theirs, samples=3, seconds=1000):
        """Interleaved, from lists of samples; what was asked, as letters."""
        asked = []

        def ask(name, answers):
            def one():
                asked.append(name)
                return answers[(len(asked) - 1) // 2 % len(answers)]
            return one
        return interleave(ask("a", ours), ask("b", theirs), samples, seconds, pause=0), "".join(asked)

    def test_turns_until_enough_are_kept_of_both(self):
        rounds, asked = self.rounds([sample(1)], [sample(2)])
        self.assertEqual((rounds, asked), ([(sample(1), sample(2))] * 3, "ababab"))
        # One side is disturbed in every second round.
        rounds, asked = self.rounds([sample(1)], [sample(2), sample(9, 0.9)])
        self.assertEqual(asked, "ab" * 5)
        self.assertEqual([pair[1]["busy"] for pair in rounds], [1, 0.9, 1, 0.9, 1])
        # Never quiet: three times as many as wanted. No time: one round, so that there is a result.
        self.assertEqual(self.rounds([sample(1, 0.9249)], [sample(2)])[1], "ab" * 9)
        self.assertEqual(self.rounds([sample(1)], [sample(2)], seconds=-1)[1], "ab")

    def test_statistics_of_the_kept(self):
        ours = [sample(s) for s in (1, 2, 3, 4)] + [sample(100, 0.5)]
        theirs = [sample(10, 0.925), sample(30), sample(20), sample(500, 0.92), sample(40)]
        result = summary(list(zip(ours, theirs)))
        self.assertEqual([result["ours"][key] for key in ("median_s", "min_s", "kept", "tried", "enough_kept")],
                         [2.5, 1, 4, 5, True])
        self.assertEqual(result["ours"]["iqr_percent"], 100 * (3.25 - 1.75) / 2.5)
        self.assertEqual(result["ours"]["all_s"], [1, 2, 3, 4, 100])
        self.assertEqual([result["pytorch"][key] for key in ("median_s", "min_s", "kept")], [25, 10, 4])
        # Rounds of which both samples were kept: 10 / 1, 30 / 2, 20 / 3.
        self.assertEqual((result["ratio"], result["ratio_low"], result["ratio_high"]), (10, 20 / 3, 15))

    def test_too_few_kept(self):
        """Then all of them count, and the table says so; a single sample needs no company."""
        result = summary([(sample(1), sample(2, 0.1)), (sample(2), sample(4)), (sample(3), sample(9)), (sample(4), sample(8, 0.1))])
        self.assertEqual((result["pytorch"]["median_s"], result["pytorch"]["enough_kept"]), (6, False))
        self.assertEqual((result["ratio_low"], result["ratio_high"]), (2, 3))
        self.assertEqual(compare_pytorch.side_cells(result["pytorch"])[2], "2/4*")
        self.assertEqual(compare_pytorch.side_cells(result["ours"]), ["2500", "60.0", "4/4"])
        one = summary([(sample(2), sample(3))])
        self.assertEqual((one["ratio"], one["ours"]["enough_kept"], one["ours"]["iqr_percent"]), (1.5, True, 0))

    def test_numbers_must_agree(self):
        maps = {"stage1": [3.0, 4.0], "stage2": [1.0]}
        self.assertAlmostEqual(compare_pytorch.check_maps(maps, {"stage1": [3.00003, 4.0], "stage2": [1.0]}) / 6e-6, 1, 4)
        for other in ({"stage1": [3.0001, 4.0], "stage2": [1.0]}, {"stage1": [3.0], "stage2": [1.0]}, {"stage1": [3.0, 4.0]},
                      {"stage1": [float("nan"), 4.0], "stage2": [1.0]}):
            with self.assertRaises(Failure) as caught:
                compare_pytorch.check_maps(maps, other)
            self.assertEqual(caught.exception.code, 1)
        step = {"loss": 1000.0, "grad_norm": 50.0}
        compare_pytorch.check_step(step, {"loss": 1000.2, "grad_norm": 60.0}, first=False)
        for other, first in (({"loss": 1000.4, "grad_norm": 50.0}, False), ({"loss": 1000.02, "grad_norm": 50.0}, True),
                             ({"loss": 1000.0, "grad_norm": 50.001}, True)):
            with self.assertRaises(Failure):
                compare_pytorch.check_step(step, other, first)

    def test_tables(self):
        for markdown in (False, True):
            text = compare_pytorch.table(["network", "batch"], [["forward", "1"], ["step", "16"]], markdown)
            self.assertEqual(text.splitlines(), ["| network | batch |", "| ------- | ----: |", "| forward |     1 |",
                                                 "| step    |    16 |"] if markdown else
                             ["network  batch", "forward      1", "step        16"])
        self.assertEqual([compare_pytorch.milliseconds(s) for s in (1.2345, 0.12345, 0.012345, 0.0012345)],
                         ["1234", "123.5", "12.35", "1.234"])


class Compare(Case):
    def compare(self, *arguments):
        done = subprocess.run([sys.executable, SOURCE / "tools/compare_pytorch.py", *map(str, arguments)], capture_output=True,
                              text=True, timeout=LIMIT, check=False)
        return Result(done.returncode, done.stdout, done.stderr)


class Script(Compare):
    def stand_ins(self, ours=None, theirs=None):
        """Arguments that name stand-ins for both sides, with what is wrong with them."""
        for name, seconds, faults in (("bench_cpm", [9, 1, 1, 1], ours), ("bench_conv", [0.5], ours),
                                      ("python", [9, 2, 4, 3], theirs)):
            path = self.folder / name
            path.write_text(STAND_IN.format(python=sys.executable, name=name, seconds=seconds, log=str(self.folder / "log"),
                                            faults=faults or {}), encoding="utf-8")
            path.chmod(0o755)
        return "--python", self.folder / "python", "--bin", self.folder, "--threads", 3

    def test_help(self):
        result = self.compare("--help")
        self.assertEqual(result.code, 0, result)
        for flag in ("--python", "--layers", "--channels-last", "--default-malloc", "--json", "--markdown"):
            self.assertIn(flag, result.out)

    def test_networks(self):
        result = self.compare(*self.stand_ins(), "--samples", 3, "--batch", "1,2", "--json", "-")
        self.assertEqual(result.code, 0, result)
        report = json.loads(result.out)
        self.assertEqual([(row["mode"], row["batch"]) for row in report["network"]],
                         [("forward", 1), ("step", 1), ("forward", 2), ("step", 2)])
        for row in report["network"]:
            # What came first was cold, and a forward pass had answered "maps" before that.
            cold = 2 if row["mode"] == "forward" else 1
            self.assertEqual(row["pytorch"]["all_s"], ([9, 2, 4, 3] * 2)[cold:cold + 3])
            self.assertEqual((row["pytorch"]["peak_rss_mb"], row["pytorch"]["kept"]), (102 + cold, 3))
        self.assertEqual(report["network"][1]["ratio"], 3)
        self.assertEqual(report["machine"]["torch"], "0.1")
        self.assertIn("allocator keeps its memory", result.err)
        self.assertRegex(result.err, r"(?m)^step +1 +1000 +0\.0 +3/3 +3000 +33\.3 +3/3 +3\.00 +2\.00 to 4\.00 +103 +103$")
        log = (self.folder / "log").read_text(encoding="utf-8").splitlines()
        self.assertEqual(log[:10], [f"{side} {request}" for request in ("maps", *["forward"] * 4)
                                    for side in ("bench_cpm", "python")])

    def test_layers(self):
        file = self.folder / "result.json"
        result = self.compare(*self.stand_ins(), "--samples", 4, "--layers", "B", "--markdown", "--json", file)
        self.assertEqual(result.code, 0, result)
        report = json.loads(file.read_text(encoding="utf-8"))
        self.assertEqual((report["network"], len(report["layers"])), ([], 1))
        self.assertEqual((report["layers"][0]["ratio"], report["layers"][0]["detail"]), (7.0, "T9"))
        line = next(line for line in result.out.splitlines() if line.startswith("| B"))
        self.assertEqual([cell.strip() for cell in line.split("|")[1:-1]],
                         ["B", "wgrad", "2", "500.0", "0.0", "4/4", "3500", "71.4", "4/4", "7.00", "4.00 to 18.00", "cpu.fft", "T9"])

    def test_disagreement(self):
        for fault, said in (({"map": 3.001}, "belief maps of stage1"), ({"loss": 5.01}, "loss of a step"),
                            ({"norm": 7.01}, "norm of the gradient")):
            with self.subTest(said):
                self.error(self.quiet(self.compare(*self.stand_ins(theirs=fault), "--samples", 1)), 1, said, "expected: ", "got: ")

    def quiet(self, result):
        """Without the lines of progress."""
        return Result(result.code, result.out, "".join(line for line in result.err.splitlines(True) if ": ours " not in line))

    def test_a_side_that_ends(self):
        said = "error: bench_cpm: no memory | got: 1"
        for fault, code, parts in (({"dies": 1, "says": said}, 1, ("no memory",)), ({"dies": 1, "says": "broken"}, 69, ("broken",))):
            result = self.quiet(self.compare(*self.stand_ins(ours=fault), "--mode", "step", "--samples", 2))
            self.error(result, code, *parts)

    def test_mistakes(self):
        for code, parts, arguments in ((64, ("--python",), ()), (64, ("got: both",), (*self.stand_ins(), "--mode", "both")),
                                       (64, ("--batch", "1,16"), (*self.stand_ins(), "--batch", "1,0")),
                                       (64, ("--size",), (*self.stand_ins(), "--size", 0)),
                                       (69, ("--python", "cannot be started"), ("--python", self.folder / "none")),
                                       (69, ("--bin", "bench_cpm"), (*self.stand_ins(), "--bin", self.folder / "none")),
                                       (73, ("cannot write",), (*self.stand_ins(), "--samples", 1, "--json", self.folder / "a/b"))):
            with self.subTest(parts):
                self.error(self.quiet(self.compare(*arguments)), code, *parts)

    def test_without_pytorch(self):
        """An interpreter in whose way stands a module that cannot be imported."""
        (self.folder / "torch.py").write_text("raise ImportError('no such\\nlibrary')", encoding="utf-8")
        python = self.folder / "python"
        python.write_text(f"#!/bin/sh\nPYTHONPATH='{self.folder}' exec '{sys.executable}' \"$@\"\n", encoding="utf-8")
        python.chmod(0o755)
        for arguments in ((), ("--layers", "B")):
            line = self.error(self.compare("--python", python, *arguments), 69, "PyTorch cannot be imported", "no such library")
            self.assertIn("hint", line.fields)

    def test_an_answer_that_is_no_json(self):
        with self.assertRaises(Failure) as caught, Peer("--python", [sys.executable, "-c", "print('hello'); input()"]):
            pass
        self.assertIn("hello", str(caught.exception))


@unittest.skipUnless(PYTORCH, "CPM_TEST_PYTORCH does not name a Python that can import torch")
class PyTorch(Compare):
    def real(self, *arguments):
        result = self.compare("--python", PYTORCH, "--bin", BIN, "--samples", 1, "--seconds", 0, *arguments, "--json", "-")
        self.assertEqual(result.code, 0, result)
        for word in CRASH:
            self.assertNotIn(word, result.err)
        return json.loads(result.out)

    def test_networks_agree(self):
        for layout in ((), ("--channels-last",)):
            forward, step = self.real("--size", 64, "--batch", 2, "--stages", 3, *layout)["network"]
            self.assertLessEqual(forward["maps_difference"], compare_pytorch.MAPS_BOUND)
            self.assertLessEqual(step["loss_difference"], compare_pytorch.FIRST_BOUND)

    def test_all_layers_run(self):
        shapes = pathlib.Path(self.folder / "shapes.txt")
        shapes.write_text('ic3ih9iw7_oc4_kh5kw3ph2pw1_n"one"\nic2ih9_oc3_kh3sh2_n"two"\n', encoding="utf-8")
        rows = self.real("--layers", "*", "--shapes", shapes, "--batch", "1,2")["layers"]
        self.assertEqual(len(rows), 2 * 2 * 3)
        for row in rows:
            self.assertGreater(row["ratio"], 0)


if __name__ == "__main__":
    main()
