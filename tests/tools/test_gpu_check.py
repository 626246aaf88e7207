"""tools/gpu_check.sh: on the virtual GPU with the real programs, and with stand-ins for them where it is about failures."""

import csv
import os
import re
import subprocess
import tarfile

from support import BIN, LIMIT, SOURCE, Case, main

SCRIPT = SOURCE / "tools/gpu_check.sh"
STEPS = ("build", "doctor", "device", "kernels", "networks", "libraries", "train-cpu", "train-cuda", "train-plain",
         "loss-curve", "same-bits", "conv-batch1", "conv-batch16", "network", "network-plain", "network-cudnn",
         "cudnn-recorded", "memcheck", "racecheck", "initcheck")
PROGRAMS = ("bin/compute-sanitizer", "bin/cpm-doctor", "bin/cpm-train", "bin/bench_conv", "bin/bench_cpm", "tests/kernels_cuda_tests",
            "tests/cpm_cuda_tests", "tests/kernels_libs_tests")
DEVICE = "PASS  cuda:0  a card, compute capability 9.0"
LIBRARIES = "PASS  cuDNN   starts\\nPASS  cuBLAS  starts"
# What cpm-train leaves; the stand-in's losses come from the environment.
TRAIN = ('while [ $# -gt 0 ]; do case "$1" in --out) out=$2 ;; --device) device=$2 ;; --steps) steps=$2 ;; esac; shift; done\n'
         'mkdir -p "$out"; echo weights >"$out/weights.safetensors"; echo step,loss >"$out/metrics.csv"\n'
         'for i in $(seq "$steps"); do echo "$i,2" >>"$out/metrics.csv"; done')


class GpuCheck(Case):
    def check(self, *arguments, **environment):
        """Exit code, the verdict and the detail of every step, what was printed."""
        path = f"{self.folder}/build/bin:{os.environ['PATH']}"
        environment = {"LD_LIBRARY_PATH": "", "PATH": path, **environment}
        done = subprocess.run([str(SCRIPT), *map(str, arguments)], cwd=self.folder, env={**os.environ, **environment},
                              capture_output=True, text=True, timeout=LIMIT, check=False)
        steps = {name: (verdict, detail) for verdict, name, detail in
                 re.findall(r"^(PASS|FAIL|SKIP)  (\S+) +\d+ s  (.*)$", done.stdout, re.MULTILINE)}
        return done.returncode, steps, done.stdout + done.stderr

    def stand_ins(self, **bodies):
        """A build folder of shell scripts: all succeed, but those given here."""
        build = self.folder / "build"
        defaults = {"cpm_doctor": f'printf "PASS  cuda    runtime\\n{DEVICE}\\n{LIBRARIES}\\n"', "cpm_train": TRAIN,
                    "bench_conv": "echo measured", "bench_cpm": "echo bench_cpm \"$@\" '\"losses\": [2, 1]'"}
        for program in PROGRAMS:
            path = build / program
            path.parent.mkdir(parents=True, exist_ok=True)
            body = {**defaults, **bodies}.get(path.name.replace("-", "_"), 'echo "$(basename "$0")" "$@"')
            path.write_text(f"#!/usr/bin/env bash\n{body}\n", encoding="utf-8")
            path.chmod(0o755)
        return "--build", build, "--no-build", "--out", self.folder / "out"

    def verdicts(self, steps, wanted):
        self.assertEqual([name for name, (verdict, _) in steps.items() if verdict == wanted],
                         [name for name in STEPS if name in steps and steps[name][0] == wanted])
        return {name for name, (verdict, _) in steps.items() if verdict == wanted}

    def test_virtual(self):
        if not (BIN.parent / "tests/kernels_libs_tests").is_file():
            self.skipTest("this build has no CUDA backend, or no cuDNN and cuBLAS headers")
        out = self.folder / "out"
        code, steps, text = self.check("--virtual", "--no-build", "--build", BIN.parent, "--out", out)
        self.assertEqual(tuple(steps), STEPS, text)
        self.assertEqual((code, self.verdicts(steps, "FAIL")), (0, set()), text)
        self.assertEqual(self.verdicts(steps, "SKIP"), {"build", "cudnn-recorded", "memcheck", "racecheck", "initcheck"}, text)
        self.assertIn("VIRTUAL GPU", steps["device"][1])
        self.assertRegex(steps["kernels"][1], r"^All tests passed \(\d+ assertions in \d+ test cases\)")
        self.assertRegex(steps["loss-curve"][1], r"^8 steps, loss .*: within [\d.e+-]+ of .*, within (0\.0e\+00|[\d.]+e-(0[6-9]|1\d)) in all")
        with open(out / "conv-batch1.csv", encoding="utf-8") as file:
            self.assertIn("cudnn.best", {row["algo"] for row in csv.DictReader(file)})
        summary = (out / "summary.md").read_text(encoding="utf-8")
        for name in STEPS:
            self.assertIn(f"  {name} ", summary)
        with tarfile.open(f"{out}.tar.gz") as file:
            names = file.getnames()
        self.assertLessEqual({f"out/{name}" for name in ("summary.md", "machine.txt", "doctor.log", "conv-batch1.csv",
                                                         "train-cuda/metrics.csv")}, set(names))
        self.assertFalse([name for name in names if "weights" in name or "ckpt" in name])

    def test_all_is_well(self):
        code, steps, text = self.check(*self.stand_ins())
        self.assertEqual((code, self.verdicts(steps, "FAIL")), (0, set()), text)
        self.assertEqual(steps["kernels"][1], "kernels_cuda_tests")
        self.assertIn("--algo cudnn.best", steps["network-cudnn"][1])
        for tool in ("memcheck", "racecheck", "initcheck"):
            self.assertRegex(steps[tool][1], f"^compute-sanitizer --tool {tool} --error-exitcode 1 .*/kernels_cuda_tests$")
        self.assertRegex(steps["loss-curve"][1], "^200 steps, loss 2 to 2: ")
        self.assertRegex(text, r"(?m)^gpu check: \d+ passed, 0 failed, \d+ skipped in \d+ s; to send back: \S+out\.tar\.gz$")

    def test_a_failure_stops_no_other_step(self):
        train = TRAIN.replace('"$i,2"', '"$i,$([ $device$i = cuda7 ] && echo 2.1 || echo 2)"')
        code, steps, text = self.check(*self.stand_ins(
            kernels_cuda_tests='echo "no kernel image"; exit 1', cpm_cuda_tests="echo half way; exit 124",
            kernels_libs_tests='echo "SKIPPED: its choice is its own"; echo "All tests passed"; exit 4', cpm_train=train,
            bench_cpm='[ "$*" = "${*/no-cuda-graph/}" ] || exit 70; echo "\"losses\": [1]"'))
        self.assertEqual(code, 1, text)
        self.assertEqual(self.verdicts(steps, "FAIL"), {"kernels", "networks", "loss-curve", "network-plain", "cudnn-recorded"},
                         text)
        self.assertEqual(steps["kernels"][1], "exit code 1: no kernel image")
        self.assertEqual(steps["networks"][1], "not done after 120 s: half way")
        self.assertEqual(steps["libraries"], ("PASS", "All tests passed; SKIPPED: its choice is its own"))
        self.assertIn("(at most 1e-05 wanted), within 5.0e-02 in all (at most 2e-02)", steps["loss-curve"][1])
        self.assertIn("5 failed", text)

    def test_recorded_cudnn(self):
        losses = 'echo "\\"losses\\": [2, $([ "$*" = "${*/no-cuda-graph/}" ] && echo 1 || echo 1.5)]"'
        code, steps, text = self.check(*self.stand_ins(bench_cpm=losses))
        self.assertEqual((code, self.verdicts(steps, "FAIL")), (1, {"cudnn-recorded"}), text)
        self.assertIn('"losses": [2, 1] recorded, "losses": [2, 1.5] launched one by one', steps["cudnn-recorded"][1])

    def test_a_slow_sanitizer(self):
        """Not done in time: a skip, but where it has found something by then."""
        late = 'echo "========= COMPUTE-SANITIZER"; echo a test; [ $2 != %s ] || echo "%s"; exit 124'
        for tool, found in (("memcheck", "========= Invalid __global__ read of size 4 bytes"),
                            ("racecheck", "========= Error: Race reported between Write access"),
                            ("initcheck", "file.cpp:3: FAILED:")):
            with self.subTest(tool):
                out = self.folder / tool
                code, steps, text = self.check(*self.stand_ins(compute_sanitizer=late % (tool, found))[:-1], out)
                self.assertEqual((code, self.verdicts(steps, "FAIL")), (1, {tool}), text)
                others = {"memcheck", "racecheck", "initcheck"} - {tool}
                self.assertLessEqual(others, self.verdicts(steps, "SKIP"), text)
                for other in others:
                    self.assertEqual(steps[other][1], "not done after 100 s: a test; no finding until then")

    def test_other_bits(self):
        train = TRAIN.replace("echo weights", "echo $RANDOM$RANDOM$RANDOM")
        code, steps, text = self.check(*self.stand_ins(cpm_train=train))
        self.assertEqual((code, self.verdicts(steps, "FAIL")), (1, {"same-bits"}), text)

    def test_no_device(self):
        for doctor, detail in (('printf "WARN  cuda  runtime 13.0, no device\\n"', "no CUDA device: runtime 13.0, no device"),
                               ('printf "WARN  cuda:0  VIRTUAL GPU: vgpu\\n"', "no real device: VIRTUAL GPU: vgpu")):
            with self.subTest(detail):
                code, steps, text = self.check(*self.stand_ins(cpm_doctor=doctor)[:-1], self.folder / detail[:10])
                self.assertEqual((code, self.verdicts(steps, "FAIL")), (1, {"device"}), text)
                self.assertEqual(steps["device"][1], detail)
                self.assertEqual(self.verdicts(steps, "PASS"), {"doctor"}, text)

    def test_no_library(self):
        doctor = f'printf "{DEVICE}\\nWARN  cuDNN   libcudnn.so.9: no such file | hint: none\\n"'
        code, steps, text = self.check(*self.stand_ins(cpm_doctor=doctor))
        self.assertEqual((code, self.verdicts(steps, "FAIL")), (0, set()), text)
        for name in ("libraries", "network-cudnn", "cudnn-recorded"):
            self.assertEqual(steps[name], ("SKIP", "libcudnn.so.9: no such file | hint: none"))

    def test_mistakes(self):
        (self.folder / "there").mkdir()
        for code, part, arguments, library in ((64, "--all", ["--all"], ""), (64, "--out DIR", ["--out"], ""),
                                               (73, "there", ["--out", "there"], ""),
                                               (64, "virtual GPU", ["--no-build"], "/build/vgpu")):
            with self.subTest(part):
                got, _, text = self.check(*arguments, LD_LIBRARY_PATH=library)
                self.assertEqual(got, code, text)
                self.assertRegex(text, r"^error: tools/gpu_check\.sh: .* \| .*\n$")
                self.assertIn(part, text)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["there"])


if __name__ == "__main__":
    main()
