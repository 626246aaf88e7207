#!/usr/bin/env python3
"""vgpu-run as a user meets it, and what the counters say about kernels whose memory traffic is known.

usage: test_run.py --folder BUILD/vgpu
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest

FOLDER = ""


def vgpu_run(*arguments, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VGPU_")}
    environment.update(variables)
    return subprocess.run([os.path.join(FOLDER, "vgpu-run"), *arguments], env=environment, capture_output=True,
                          text=True, timeout=60)


def program(name):
    return os.path.join(FOLDER, "tests", name)


class Runs(unittest.TestCase):
    def test_says_what_ran(self):
        done = vgpu_run("--cc", "80", program("basic"), "vector_add")
        self.assertEqual((done.returncode, done.stdout), (0, "ok vector_add\n"))
        self.assertRegex(done.stderr, r"^vgpu-run: 1 kernel ran on the virtual GPU \(avx(2|512)\)\n$")

    def test_keeps_the_exit_status(self):
        self.assertEqual(vgpu_run(program("bugs/null_pointer"), "bug").returncode, 3)
        self.assertEqual(vgpu_run("--check", "race", program("bugs/race_shared"), "bug").returncode, 86)
        self.assertEqual(vgpu_run(program("bugs/race_shared"), "bug").returncode, 0)  # nobody has asked

    def test_takes_every_form_of_an_option(self):
        done = vgpu_run("--check=race", "--memory=1M", "--isa", "avx2", program("bugs/race_shared"), "bug")
        self.assertEqual(done.returncode, 86)
        self.assertIn("(avx2)", done.stderr)
        done = vgpu_run("--trace", "--cc=80", program("basic"), "pooling")
        self.assertEqual(done.returncode, 0)
        self.assertIn("vgpu: trace: block (0,0,0) warp 0 ", done.stderr)

    def test_refuses_bad_values(self):
        for option in ("--check=races", "--sched=random", "--threads=-1", "--threads=100000", "--cc=60", "--cc=80x",
                       "--budget=0", "--budget=99999999999999999999", "--memory=16X", "--memory=65G", "--isa=sse"):
            done = vgpu_run(option, program("basic"), "vector_add")
            flag, value = option.split("=")
            self.assertEqual((done.returncode, done.stdout), (64, ""), option)
            self.assertRegex(done.stderr, rf"^vgpu: error: VGPU_\w+ \(vgpu-run {flag}\): expected .*, got '{value}'\n")

    def test_bytes_have_units(self):
        for memory, status in (("64M", 0), ("100K", 1)):
            done = vgpu_run(f"--memory={memory}", program("basic"), "vector_add")
            self.assertEqual(done.returncode, status, done.stdout)
        self.assertIn("out of memory (2)", done.stdout)

    def test_commands_may_start_programs(self):
        done = vgpu_run("sh", "-c", f"{program('basic')} pooling && {program('basic')} vector_add")
        self.assertEqual(done.returncode, 0)
        self.assertIn("vgpu-run: 2 kernels ran on the virtual GPU", done.stderr)
        done = vgpu_run("--check=race", "timeout", "50", program("bugs/race_shared"), "bug")
        self.assertEqual(done.returncode, 86)
        done = vgpu_run("true")
        self.assertEqual((done.returncode, done.stderr), (0, "vgpu-run: no kernel ran on the virtual GPU\n"))

    def test_passes_arguments_on(self):
        done = vgpu_run("--check", "all", "--sched", "random:5", "--threads", "1", "--", program("basic"), "pooling")
        self.assertEqual((done.returncode, done.stdout), (0, "ok pooling\n"))

    def test_says_what_is_wrong(self):
        for arguments, text in [((), "no program given"), (("./none",), "no program ./none"),
                                (("--check",), "--check needs a value"), (("--fast",), "unknown option --fast"),
                                (("--cc=", "x"), "--cc needs a value"),
                                (("--count", program("basic")), "basic is a program"),
                                ((program("static_runtime"),), "compile with -cudart shared"), ((FOLDER + "/tests",), "not an exec")]:
            done = vgpu_run(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn(text, done.stderr)


class Counters(unittest.TestCase):
    def kernels(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a rather long name of a file.json")
            self.assertEqual(vgpu_run("--count", path, "--cc", "80", *arguments).returncode, 0)
            with open(path, encoding="utf-8") as file:
                return json.load(file)["kernels"]

    def test_lost_counters_are_a_failure(self):
        for name, test, status in (("basic", "vector_add", 74), ("bugs/race_shared", "bug", 86)):
            done = vgpu_run("--check=race", "--count=/nowhere/counters.json", program(name), test)
            self.assertEqual(done.returncode, status)
            self.assertIn("cannot write the counters to /nowhere/counters.json: No such file", done.stderr)

    def test_vector_add(self):
        kernel, = self.kernels(program("basic"), "vector_add")
        self.assertRegex(kernel["name"], r"^\(anonymous namespace\)::add\(float const\*, float const\*, float\*, int\)$")
        self.assertRegex(kernel["mangled"], r"^_ZN\d+_GLOBAL__N__\w*_8_basic_cu_\w+3addEPKf\w+Pfi$")
        memory = kernel["memory"]["global"]
        self.assertEqual((memory["bytes_read"], memory["bytes_written"]), (800024, 400012))
        self.assertEqual(kernel["flops"]["total"], 100003)
        self.assertAlmostEqual(memory["sectors_per_load"], 4, delta=0.01)

    def test_bank_conflicts(self):
        plain, padded = self.kernels(program("basic"), "transposes")
        self.assertGreater(plain["memory"]["shared"]["passes_per_load"], 16)
        self.assertEqual(padded["memory"]["shared"]["passes_per_load"], 1)
        self.assertEqual(padded["memory"]["shared"]["passes_per_store"], 1)

    def test_divergence(self):
        kernel, = self.kernels(program("control"), "divergent_loops")
        self.assertGreater(kernel["divergent_branches"], 0)
        self.assertLess(kernel["lanes_per_instruction"], 31)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True)
    FOLDER = os.path.abspath(parser.parse_args().folder)
    sys.exit(not unittest.main(argv=sys.argv[:1], exit=False).result.wasSuccessful())
