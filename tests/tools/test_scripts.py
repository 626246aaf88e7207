"""The shell scripts: tools/setup.sh installs exactly what is missing, every script parses, tools/demo.sh calls the right
programs in the right order."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("CPM_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
SETUP = SOURCE / "tools" / "setup.sh"
BASH = shutil.which("bash")


def packages():
    """The packages of tools/deps.txt."""
    rows = [line.split(None, 2) for line in (SOURCE / "tools/deps.txt").read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")]
    return [package for package, _, purpose in rows
            if not purpose.startswith(("lint:", "fuzz:"))]


class Setup(unittest.TestCase):
    """setup.sh on a PATH that holds only stand-ins and the few tools the script itself needs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.bin = pathlib.Path(folder.name)
        self.calls = self.bin / "calls"
        self.calls.touch()
        for tool in ("bash", "dirname", "env", "grep", "sed"):
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.tool("id", 'case "$1" in -u) echo 0 ;; *) echo root ;; esac')

    def tool(self, name, body):
        path = self.bin / name
        path.write_text(f"#!{BASH}\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def installed(self, names):
        """dpkg-query knows these packages; its exit code says, as the real one's, whether it knew all."""
        self.tool("dpkg-query", 'known=" ' + " ".join(names) + ' "; code=0; shift 2\n'
                  'for name in "$@"; do case "$known" in *" $name "*) echo "$name installed" ;; *) code=1 ;; esac; done\n'
                  "exit $code")

    def apt(self, update=0, install=0):
        self.tool("apt-get", f'echo "apt-get $*" >>"{self.calls}"\n'
                  f'case " $* " in *" update "*) exit {update} ;; *) exit {install} ;; esac')

    def run_setup(self, *arguments):
        result = subprocess.run([BASH, str(SETUP), *arguments], env={"PATH": str(self.bin)}, capture_output=True,
                                text=True)
        calls = self.calls.read_text(encoding="utf-8").splitlines()
        return result, [re.sub(r" -q| -o \S+", "", call) for call in calls]

    def test_nothing_missing(self):
        self.installed(packages())
        self.apt()
        result, calls = self.run_setup()
        self.assertEqual((result.returncode, calls), (0, []), result.stderr)
        self.assertIn(f"all {len(packages())} system packages are there", result.stdout)

    def test_two_missing(self):
        missing = ["libfmt-dev", "catch2"]
        self.installed([name for name in packages() if name not in missing])
        self.apt()
        result, calls = self.run_setup()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(calls, ["apt-get update", "apt-get install -y --no-install-recommends libfmt-dev catch2"])
        self.assertIn("missing system packages: libfmt-dev catch2", result.stdout)
        self.assertNotIn("sudo", result.stdout)

    def test_removed_package_is_missing(self):
        """dpkg-query still knows a package whose configuration files are left."""
        self.tool("dpkg-query", "shift 2; for name in \"$@\"; do case $name in\n"
                  'cmake) echo "cmake config-files" ;; *) echo "$name installed" ;; esac; done')
        self.apt()
        self.assertEqual(self.run_setup()[1][-1], "apt-get install -y --no-install-recommends cmake")

    def test_lint_and_fuzz_packages_only_on_request(self):
        self.installed(packages())
        self.apt()
        for flag, names in (("--with-lint", "clang-format-14"), ("--with-fuzz", "clang libclang-rt-dev")):
            result, calls = self.run_setup(flag)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(calls[-1], f"apt-get install -y --no-install-recommends {names}")

    def test_sudo_where_not_root(self):
        self.tool("id", 'case "$1" in -u) echo 1000 ;; *) echo someone ;; esac')
        self.installed(packages()[1:])
        self.apt()
        result, calls = self.run_setup()
        self.assertEqual((result.returncode, calls), (69, []))
        self.assertIn("hint: run as root: apt-get install " + packages()[0], result.stderr)
        self.tool("sudo", f'echo sudo >>"{self.calls}"\nexec "$@"')
        result, calls = self.run_setup()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(calls, ["sudo", "apt-get update", "sudo",
                                 "apt-get install -y --no-install-recommends " + packages()[0]])
        self.assertIn("using sudo", result.stdout)

    def test_no_apt_get(self):
        self.installed(packages()[2:])
        result, _ = self.run_setup()
        self.assert_error(result, 69, " ".join(packages()[:2]))

    def test_no_package_system_at_all(self):
        """Without dpkg-query the probes decide; a compiler that finds no header and a Python that finds no module are
        stand-ins that fail."""
        for name in ("cmake", "ninja"):
            self.tool(name, "exit 0")
        for name in ("c++", "python3"):
            self.tool(name, "exit 1")
        result, _ = self.run_setup()
        with_headers = [name for name in packages() if name not in ("g++", "cmake", "ninja-build", "python3")]
        self.assert_error(result, 69, " ".join(with_headers))
        for name in ("c++", "python3"):
            self.tool(name, "exit 0")
        self.assertEqual(self.run_setup()[0].returncode, 0)

    def test_failing_apt_get(self):
        self.installed(packages()[1:])
        self.apt(update=100)  # a broken source need not hold what is missing
        self.assertEqual(self.run_setup()[0].returncode, 0)
        self.apt(install=100)
        self.assert_error(self.run_setup()[0], 69, packages()[0])

    def test_unknown_argument(self):
        self.assert_error(self.run_setup("--lint")[0], 64, "--lint")

    def assert_error(self, result, code, text):
        """One error line, with that code, that holds the text."""
        self.assertEqual(result.returncode, code, result.stderr)
        errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, result.stderr)
        self.assertRegex(errors[0], r"^error: tools/setup\.sh: .+ \| expected: .+ \| got: .+")
        self.assertIn(text, errors[0])


class Scripts(unittest.TestCase):
    def test_parse(self):
        scripts = [*sorted((SOURCE / "tools").glob("*.sh")), SOURCE / ".ci/run"]
        self.assertGreaterEqual(len(scripts), 5)
        for script in scripts:
            with self.subTest(script=script.name):
                subprocess.run([BASH, "-n", str(script)], check=True)
                self.assertTrue(os.access(script, os.X_OK), "not executable")
                self.assertIn("set -euo pipefail", script.read_text(encoding="utf-8"))

    def test_help(self):
        for name in ("setup.sh", "build.sh", "test.sh", "fuzz.sh", "demo.sh", "gpu_check.sh", "figure5.sh", "figure6.sh"):
            with self.subTest(script=name), tempfile.TemporaryDirectory() as elsewhere:
                result = subprocess.run([str(SOURCE / "tools" / name), "--help"], cwd=elsewhere, capture_output=True,
                                        text=True, check=True)
                self.assertIn(f"tools/{name}", result.stdout)

    def test_every_dependency_is_well_formed(self):
        for line in (SOURCE / "tools/deps.txt").read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                self.assertRegex(line, r"^[a-z0-9.+-]+ +(command|header|python):\S+ +\S.*$")


class Demo(unittest.TestCase):
    """demo.sh with stand-ins for the build and the programs, from another working directory."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve() / "repository"
        self.script("tools/build.sh", 'echo "build.sh $*" >>calls')
        self.script("build/release/bin/cpm-train", 'echo "cpm-train $*" >>calls\nout=runs/demo-007\n'
                    'while [ $# -gt 0 ]; do if [ "$1" = --out ]; then out=$2; fi; shift; done\n'
                    'mkdir -p "$out"')
        self.script("build/release/bin/cpm-eval", 'echo "cpm-eval $*" >>calls\n'
                    """echo '{"metric": "pck", "mean": 0.875, "count": 4200, "threshold": 0.2}'""")
        shutil.copy(SOURCE / "tools/demo.sh", self.root / "tools")

    def script(self, name, body):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{BASH}\nset -e\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def run_demo(self, *arguments):
        result = subprocess.run([str(self.root / "tools/demo.sh"), *arguments], cwd=self.root.parent,
                                capture_output=True, text=True)
        calls = self.root / "calls"
        return result, calls.read_text(encoding="utf-8").splitlines() if calls.is_file() else []

    def test_numbered_run(self):
        result, calls = self.run_demo("--steps", "5")
        self.assertEqual(result.returncode, 0, result.stderr)
        run = self.root / "runs/demo-007"
        self.assertEqual(calls, [
            "build.sh release programs",
            "cpm-train --config data/configs/demo.toml --data synthetic:6000,1-5500"
            " --val synthetic:6000,5501-5700 --steps 5",
            f"cpm-eval --weights {run}/weights.safetensors --data synthetic:6000,5701-6000 --out {run}/held-out --json"])
        lines = result.stdout.splitlines()
        self.assertIn("demo: pck @ 0.2: 87.5 % of 4200 joints of people never seen in training", lines)
        self.assertRegex(lines[-2], r"^demo: set-up and build \d+ s, training \d+ s, evaluation \d+ s$")
        self.assertEqual(lines[-1], f"demo: report: {run}/report.html")

    def test_out_is_relative_to_where_the_user_is(self):
        result, calls = self.run_demo("--out", "mine")
        self.assertEqual(result.returncode, 0, result.stderr)
        mine = self.root.parent / "mine"
        self.assertTrue(calls[1].endswith(f" --out {mine}"), calls[1])
        self.assertEqual(result.stdout.splitlines()[-1], f"demo: report: {mine}/report.html")

    def test_out_without_a_value(self):
        result, calls = self.run_demo("--out")
        self.assertEqual((result.returncode, calls), (64, []))

    def test_a_failure_ends_it_with_its_code(self):
        self.script("build/release/bin/cpm-train", "exit 73")
        result, calls = self.run_demo()
        self.assertEqual((result.returncode, len(calls)), (73, 1))
        self.assertNotIn("report:", result.stdout)


class Fuzz(unittest.TestCase):
    """fuzz.sh with stand-ins for the build and two targets."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("tools/setup.sh", "tools/build.sh"):
            self.script(name, f'echo "{name} $*" >>calls')
        for name in ("good", "bad"):
            (self.root / "tests/fuzz/seeds" / name).mkdir(parents=True)
            (self.root / f"tests/fuzz/fuzz_{name}.cpp").touch()
        self.script("build/fuzz/fuzz/fuzz_good", 'echo "good $*" >>calls; echo "stat::number_of_executed_units: 7" >&2')
        self.script("build/fuzz/fuzz/fuzz_bad", 'echo "x.h:1:2: runtime error: no" >&2; exit 77')
        shutil.copy(SOURCE / "tools/fuzz.sh", self.root / "tools")

    script = Demo.script

    def fuzz(self, *arguments):
        return subprocess.run([str(self.root / "tools/fuzz.sh"), *arguments], capture_output=True, text=True)

    def test_nothing_found(self):
        result = self.fuzz("--inputs", "7", "good")
        self.assertEqual((result.returncode, result.stdout), (0, "fuzz: good: 7 inputs, nothing found\n"), result.stderr)
        calls = (self.root / "calls").read_text(encoding="utf-8").splitlines()
        self.assertEqual(calls[:2], ["tools/setup.sh --with-fuzz", "tools/build.sh fuzz fuzzers"])
        self.assertRegex(calls[2], "^good -dict=tests/fuzz/dictionaries/good.dict .*-runs=7 .* tests/fuzz/seeds/good$")

    def test_a_finding(self):
        result = self.fuzz()
        self.assertEqual(result.returncode, 1)
        self.assertIn("fuzz: good: 7 inputs, nothing found\n", result.stdout)
        self.assertIn("fuzz: bad: a finding", result.stdout)
        self.assertIn("runtime error: no", result.stderr)
        self.assertIn("-max_total_time=20", (self.root / "calls").read_text(encoding="utf-8"))

    def test_usage(self):
        for arguments, got in ((("ugly",), "ugly"), (("--inputs", "x"), "x"), (("--seconds",), "nothing"), (("--inputs", "0"), "0")):
            result = self.fuzz(*arguments)
            self.assertEqual(result.returncode, 64)
            self.assertRegex(result.stderr, rf"^error: tools/fuzz.sh: .+ \| expected: .+ \| got: {got} \| hint: .+\n$")


if __name__ == "__main__":
    unittest.main()
