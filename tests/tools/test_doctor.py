"""cpm-doctor: aligned lines with verdicts, JSON, exit codes, and what makes a WARN or a FAIL."""

import json

from support import BIN, Case, main, run

VIRTUAL_GPU = BIN.parent / "vgpu"


class Doctor(Case):
    def with_environment(self, *arguments, **variables):
        return run("cpm-doctor", *arguments, cwd=self.folder, **variables)

    def checks(self, result, code=0):
        self.assertEqual(result.code, code, result)
        self.no_crash(result)
        report = json.loads(result.out)
        self.assertEqual(report["ok"], code == 0)
        return {check["check"]: check for check in report["checks"]}

    def test_lines(self):
        result = self.ok("cpm-doctor", cwd=self.folder)
        lines = result.out.splitlines()
        names = [line[6:].split("  ")[0] for line in lines]
        self.assertEqual([line[:4] for line in lines if line[:4] not in ("PASS", "WARN")], [])
        self.assertEqual(names[:5], ["processor", "libraries", "memory", "disk", "cuda"])
        self.assertIn("step on cpu", names)
        column = 6 + max(map(len, names)) + 2
        self.assertTrue(all(line[column - 1] == " " and line[column] != " " for line in lines), result.out)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_json(self):
        checks = self.checks(self.ok("cpm-doctor", "--json", "--threads", 1, cwd=self.folder))
        self.assertLessEqual({"processor", "libraries", "memory", "disk", "cuda", "step on cpu"}, set(checks))
        for check in checks.values():
            self.assertEqual(set(check), {"check", "verdict", "detail", "hint"})
            self.assertIn(check["verdict"], ("PASS", "WARN"))
        self.assertEqual(checks["step on cpu"]["verdict"], "PASS")
        self.assertRegex(checks["step on cpu"]["detail"], r"^3 training steps in [\d.]+ s, losses within [\d.]+e-\d\d of")

    def test_the_step_is_right_with_every_instruction_set(self):
        for isa in ("portable", "avx2", "avx512"):
            result = self.with_environment("--json", CPM_ISA=isa)
            if result.code == 0:
                checks = self.checks(result)
                self.assertEqual(checks["step on cpu"]["verdict"], "PASS")
                self.assertEqual(checks["processor"]["verdict"], "WARN" if isa == "portable" else "PASS")
            else:  # this processor has no such instructions: told as a FAIL of what asked for them
                self.assertEqual(self.checks(result, 1)["processor"]["verdict"], "FAIL")

    def test_a_folder_that_cannot_be_written(self):
        file = self.folder / "file"
        file.write_text("", encoding="utf-8")
        checks = self.checks(run("cpm-doctor", "--json", "--out", file), 1)
        self.assertEqual(checks["disk"]["verdict"], "FAIL")
        self.assertIn(str(file), checks["disk"]["detail"])
        self.assertTrue(checks["disk"]["hint"])
        # Folders to come are no fault.
        checks = self.checks(run("cpm-doctor", "--json", "--out", self.folder / "a" / "b"))
        self.assertEqual(checks["disk"]["verdict"], "PASS")
        self.assertIn(f"free in {self.folder}", checks["disk"]["detail"])

    def test_a_missing_gpu_is_a_warning(self):
        checks = self.checks(self.with_environment("--json", CUDA_VISIBLE_DEVICES="", LD_LIBRARY_PATH=""))
        self.assertEqual(checks["cuda"]["verdict"], "WARN")
        self.assertFalse(any(name.startswith("cuda:") for name in checks))

    def test_a_virtual_gpu_is_called_one(self):
        if not (VIRTUAL_GPU / "libcudart.so.13").exists():
            self.skipTest("this build has no virtual GPU")
        checks = self.checks(self.with_environment("--json", LD_LIBRARY_PATH=str(VIRTUAL_GPU)))
        self.assertEqual(checks["cuda"]["verdict"], "PASS")
        self.assertRegex(checks["cuda"]["detail"], r"^runtime 13\.\d, driver for CUDA \d+\.\d$")
        self.assertEqual(checks["cuda:0"]["verdict"], "WARN")
        self.assertRegex(checks["cuda:0"]["detail"], r"^VIRTUAL GPU: vgpu .*, compute capability \d+\.\d, ")
        self.assertIn("step on cuda:0", checks)

    def test_libraries_to_compare_with(self):
        """Absent or idle: a WARN with the reason; there: a PASS."""
        if not (BIN.parent / "lib/libcpm_cudnn.so").exists() or not (VIRTUAL_GPU / "standins").is_dir():
            self.skipTest("this build has no plugins for cuDNN and cuBLAS")
        checks = self.checks(self.with_environment("--json", LD_LIBRARY_PATH=f"{VIRTUAL_GPU}:{VIRTUAL_GPU}/standins"))
        for name, library in (("cuDNN", "libcudnn.so.9"), ("cuBLAS", "libcublas.so.13")):
            self.assertEqual(checks[name]["verdict"], "PASS")
            absent = self.checks(self.with_environment("--json", LD_LIBRARY_PATH=str(VIRTUAL_GPU)))[name]
            self.assertEqual(absent["verdict"], "WARN")
            self.assertRegex(absent["detail"], f"^({library}: cannot open shared object file|{name}.* does not start: )")

    def test_mistakes(self):
        self.error(run("cpm-doctor", "--threads", -1), 64, "--threads", "got: -1")
        self.error(run("cpm-doctor", "cuda"), 64, "unexpected argument")


if __name__ == "__main__":
    main()
