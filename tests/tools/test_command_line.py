"""What every program says of its own command line: --json, the manual page, and completion in bash, zsh and fish, each
asked in the shell itself."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from support import BIN, PROGRAMS, SLOW, TINY, Case, main, run

FOLDERS = {"man": "man/man1/{}.1", "bash": "bash-completion/completions/{}", "zsh": "zsh/site-functions/_{}",
           "fish": "fish/vendor_completions.d/{}.fish"}
# A function of the program's name that shows what it was given, so that a completed line can be entered.
SHOW = {"bash": "{}() {{ printf 'GO''T'; printf '<%s>' \"$@\"; echo 'EN''D'; }}",
        "zsh": "function {} {{ printf 'GO''T'; printf '<%s>' \"$@\"; echo 'EN''D' }}"}
BOOT = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}


def need(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    return unittest.skipIf(missing, f"{', '.join(missing)} is not installed")


class CommandLine(Case):
    def flags(self, program):
        """Name of an option -> its value's name, or None; read off --help."""
        found = {}
        for line in self.ok(program, "--help").out.splitlines():
            entry = re.match(r"^  (?:-h, )?(--[a-z0-9-]+)(?: (\[?[A-Z][^ ]*))?(?:  |$| \.\.\.)", line)
            if entry:
                found[entry[1]] = entry[2]
        self.assertTrue({"--help", "--version", "--man", "--completion", "--json"} <= set(found), found)
        return found

    def write_script(self, program, shell):
        path = self.folder / f"{program}.{shell}"
        path.write_text(self.ok(program, "--completion", shell).out, encoding="utf-8")
        return path

    def test_written_by_the_build(self):
        """The files that cmake --install takes are what the programs print."""
        for program in PROGRAMS:
            for shell, name in FOLDERS.items():
                with self.subTest(program=program, shell=shell):
                    said = self.ok(program, *(("--man",) if shell == "man" else ("--completion", shell)))
                    self.assertEqual(said.err, "")
                    file = BIN.parent / "share" / name.format(program)
                    self.assertEqual(said.out, file.read_text(encoding="utf-8"))

    def test_installed(self):
        prefix = self.folder / "prefix"
        done = subprocess.run(["cmake", "--install", str(BIN.parent), "--prefix", str(prefix)], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        for program in PROGRAMS:
            self.assertTrue(os.access(prefix / "bin" / program, os.X_OK), program)
            for name in FOLDERS.values():
                self.assertGreater((prefix / "share" / name.format(program)).stat().st_size, 500, name)

    def test_every_option_is_everywhere(self):
        for program in PROGRAMS:
            flags = self.flags(program)
            man = self.ok(program, "--man").out.replace("\\-", "-")
            scripts = {shell: self.ok(program, "--completion", shell).out for shell in ("bash", "zsh", "fish")}
            for flag in flags:
                with self.subTest(program=program, flag=flag):
                    self.assertRegex(man, rf"(?m)^\.B (-h, )?{flag}( |$)")
                    self.assertRegex(scripts["bash"], rf"words='[^']* {flag}[ ']|words='{flag}[ ']")
                    self.assertRegex(scripts["zsh"], rf"'\*?{flag}\[")
                    self.assertRegex(scripts["fish"], rf"(?m)^complete -c {program} .*-l {flag[2:]} ")

    def test_usage_errors(self):
        for program in PROGRAMS:
            self.error(run(program, "--completion", "bsh"), 64, "--completion", "expected: bash, zsh, fish", "did you mean bash?")
        for parts, arguments in (
                (("--kind", "did you mean weight?"), ("cpm-hist", "show", "x", "--kind", "wieght")),
                (("--metric", "pck, pckh, oks, auto", "did you mean pck?"), ("cpm-eval", "--metric", "pkc")),
                (("--mode", "did you mean forward?"), ("bench_cpm", "--mode", "step,froward")),
                (("--device", "did you mean cuda?"), ("bench_cpm", "--device", "cudda")),
                (("train.device", "did you mean \"cpu\"?"), ("cpm-train", "--data", "synthetic:4", "--device", "cpuu"))):
            self.error(run(*arguments), 64, *parts)

    def test_json(self):
        """What a script gets of a training run and of the configuration."""
        out = self.folder / "run"
        told = self.json_of(self.ok("cpm-train", "--data", "synthetic:8", "--val", "synthetic:3", *TINY, "--steps", 2, "--out",
                                    out, "--json"))
        self.assertEqual(set(told), {"run", "steps", "loss", "seconds", "interrupted", "pck", "mean_pose_pck", "validation",
                                     "weights", "report"})
        self.assertEqual(set(told["validation"]), {"metric", "mean", "per_joint", "count", "threshold"})
        self.assertEqual((told["validation"]["mean"], len(told["validation"]["per_joint"])), (told["pck"], 14))
        self.assertEqual((told["weights"], told["report"]), (str(out / "weights.safetensors"), str(out / "report.html")))
        settings = self.json_of(self.ok("cpm-train", "--print-config", "--json", "--set", "optim.lr=0.25", "--set",
                                        "supervision.frozen=[1, 2]"))
        text = self.ok("cpm-train", "--print-config").out
        self.assertEqual({f"{section}.{key}" for section, keys in settings.items() for key in keys},
                         {f"{section}.{key}" for section, body in re.findall(r"\[(\w+)\]\n((?:\w.*\n)+)", text)
                          for key in re.findall(r"(?m)^(\w+) =", body)})
        self.assertEqual((settings["optim"]["lr"], settings["supervision"]["frozen"], settings["data"]["val"]), (0.25, [1, 2], ""))

    @need("man", "groff")
    def test_manual_pages(self):
        for program in PROGRAMS:
            file = self.folder / f"{program}.1"
            file.write_text(self.ok(program, "--man").out, encoding="utf-8")
            with self.subTest(program):
                groff = subprocess.run(["groff", "-ww", "-man", "-z", "-Tutf8", str(file)], capture_output=True, text=True,
                                       check=False)
                self.assertEqual((groff.returncode, groff.stderr), (0, ""))
                shown = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", str(file)], capture_output=True, text=True,
                                       check=False, env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""})
                self.assertEqual((shown.returncode, shown.stderr), (0, ""))
                text = re.sub("[\u2010\u2212]", "-", re.sub(r".\x08|\x1b\[[0-9;]*m", "", shown.stdout))
                for flag in self.flags(program):
                    self.assertIn(flag, text)
                for section in ("NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS"):
                    self.assertIn(section, text)

    def completed(self, program, line):
        """What bash's function offers for the word that `line` ends in."""
        script = self.write_script(program, "bash")
        text = 'source "$1"; complete -p "$2"; COMP_LINE=$3; COMP_POINT=${#3}; _${2//-/_}; printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", text, "bash", str(script), program, line], capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), line)
        first, *words = done.stdout.splitlines()
        self.assertEqual(first, f"complete -F _{program.replace('-', '_')} {program}")
        return [word for word in words if word]

    @need("bash")
    def test_bash_words(self):
        for program in PROGRAMS:
            flags = self.flags(program)
            self.assertEqual(set(self.completed(program, f"{program} -")), {*flags, "-h"})
            for flag, value in flags.items():
                self.assertIn(flag, self.completed(program, f"{program} -h {flag[:-1]}"))
                if value in ("N", "S", "X,Y"):
                    self.assertEqual(self.completed(program, f"{program} {flag} "), [])
                if value == "DEVICE":
                    self.assertEqual(self.completed(program, f"{program} {flag} c"), ["cpu", "cuda"])
        for line, words in (
                ("cpm-train --precision ", ["fp32"]),
                ("cpm-train --data s", ["synthetic:"]), ("cpm-train --seed 3 --val ", ["synthetic:", "coco:", "mpii:", "lsp:", "raw:"]),
                ("cpm-train --set optim.na", ["optim.name=", "optim.name=adam", "optim.name=sgd"]),
                ("cpm-train --set optim.name=", ["", "adam", "sgd"]), ("cpm-train --set=optim.name=a", ["adam"]),
                ("cpm-train --set optim.l", ["optim.lr="]), ("cpm-train --set train.cuda_graph=f", ["false"]),
                ("cpm-train --set optim.lr=0.1 --set model.pooling=t", ["torch"]),
                ("cpm-train --device=cu", ["cuda"]), ("cpm-train --completion ", ["bash", "zsh", "fish"]),
                ("cpm-train --config ", []), ("cpm-train x", []),
                ("cpm-infer --precision fp6", ["fp64"]), ("cpm-hist sh", ["show"]), ("cpm-data c", ["check", "convert", "coco:"]),
                ("cpm-hist show --kind w", ["weight"]),
                ("bench_cpm --mode f", ["forward"]), ("bench_conv --direction ", ["fprop", "dgrad", "wgrad"]),
                ("bench_conv --algo cpu.d", ["cpu.direct"])):
            self.assertEqual(self.completed(line.split()[0], line), [word for word in words if word], line)

    def entered(self, shell, program, line):
        """The arguments that an interactive shell makes of `line`, typed with its tabs, in the folder of this test."""
        script = self.write_script(program, shell)
        start = "autoload -Uz compinit; compinit -D -u\n" if shell == "zsh" else ""
        main_end, end = pty.openpty()
        process = subprocess.Popen(BOOT[shell], stdin=end, stdout=end, stderr=end, cwd=self.folder, close_fds=True,
                                   start_new_session=True,
                                   env={**os.environ, "TERM": "dumb", "PS1": "", "INPUTRC": "/dev/null", "HISTFILE": ""})
        os.close(end)
        try:
            os.write(main_end, f"{start}source {script}\n{SHOW[shell].format(program)}\necho REA''DY\n".encode())
            self.wait_for(main_end, "READY")
            os.write(main_end, line.encode() + b"\n")
            shown = self.wait_for(main_end, "END")
        finally:
            process.kill()
            process.wait()
            os.close(main_end)
        return re.findall("<([^>]*)>", shown[shown.rindex("GOT"):])

    def wait_for(self, terminal, word):
        seen, limit = "", time.monotonic() + 60 * SLOW
        while word not in seen:
            self.assertLess(time.monotonic(), limit, seen)
            if select.select([terminal], [], [], 0.2)[0]:
                seen += os.read(terminal, 65536).decode("utf-8", "replace")
        return seen

    def check_interactive(self, shell):
        """Files and folders, whatever their names, a space where the word is complete, and none where it is not."""
        (self.folder / "settings one.toml").touch()
        (self.folder / "settled").mkdir()
        (self.folder / "raw.safetensors").touch()
        for program, line, arguments in (
                ("cpm-train", "--see\t3 --config settings\t--js\t", ["--seed", "3", "--config", "settings one.toml", "--json"]),
                ("cpm-train", "--out sett\t", ["--out", "settled"]),
                ("cpm-train", "--set optim.nam\ts\t--tu\t", ["--set", "optim.name=sgd", "--tune"]),
                ("cpm-train", "--data raw:ra\t", ["--data", "raw:raw.safetensors"]),
                ("cpm-data", "sta\tsyn\t7", ["stats", "synthetic:7"]), ("cpm-data", "check mpii:ra\t", ["check", "mpii:raw.safetensors"]),
                ("cpm-hist", "com\tsett\t", ["compare", "settled"])):
            with self.subTest(line):
                entered = self.entered(shell, program, f"{program} {line}")
                self.assertEqual([word.rstrip("/") for word in entered], arguments)

    @need("bash")
    def test_bash_itself(self):
        self.check_interactive("bash")

    @need("zsh")
    def test_zsh(self):
        for program in PROGRAMS:
            done = subprocess.run(["zsh", "-n", str(self.write_script(program, "zsh"))], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), program)
            self.assertEqual(self.ok(program, "--completion", "zsh").out.splitlines()[0], f"#compdef {program}")
        self.check_interactive("zsh")

    @need("fish")
    def test_fish(self):
        (self.folder / "settings.toml").touch()
        (self.folder / "settled").mkdir()
        for program in PROGRAMS:
            script = self.write_script(program, "fish")
            check = subprocess.run(["fish", "-N", "-n", str(script)], capture_output=True, text=True, check=False)
            self.assertEqual((check.returncode, check.stderr), (0, ""), program)
            # A value that may be left out can only be given behind a =, to fish.
            offered = {word.rstrip("=") for word in self.fish(program, f"{program} --")}
            self.assertEqual(offered, set(self.flags(program)))
        for line, words in (
                ("cpm-train --set optim.na", ["optim.name=", "optim.name=adam", "optim.name=sgd"]),
                ("cpm-train --device c", ["cpu", "cuda"]), ("cpm-train --seed ", []), ("cpm-train x", []),
                ("cpm-train --data s", ["synthetic:"]), ("cpm-train --out se", ["settled/"]),
                ("cpm-train --config sett", ["settings.toml", "settled/"]), ("cpm-hist c", ["compare"]),
                ("cpm-hist --kind ", ["activation", "bias", "weight"])):
            self.assertEqual(sorted(self.fish(line.split()[0], line)), words, line)

    def fish(self, program, line):
        script = self.write_script(program, "fish")
        done = subprocess.run(["fish", "-N", "-c", f"source {script}; complete -C '{line}'"], capture_output=True, text=True,
                              cwd=self.folder, check=False, env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"})
        self.assertEqual(done.stderr, "")
        return [entry.split("\t")[0] for entry in done.stdout.splitlines()]


if __name__ == "__main__":
    main()
