"""The audit of error messages: every row of mistakes.py is answered by exactly one line on stderr that says where, what,
expected, got and hint, safe for a terminal and at most 400 columns wide, and by the documented exit code; inputs keep
their bytes and nothing is left behind. docs/troubleshooting.md quotes only lines that are printed here.

usage: test_audit.py [--show [TEXT]]   (--show: prints rows whose name holds TEXT with their lines, and checks nothing)"""

import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import unittest
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from grads_folder import write_grads  # noqa: E402
from mistakes import PNG, TINY, table  # noqa: E402
from support import CRASH, LIMIT, SOURCE, command, main, network, raw_tensors, tree, write_lsp, write_safetensors  # noqa: E402

CODES = {1, 64, 65, 69, 73, 74}
WIDEST = 400
LINE = re.compile(r"error: (?P<where>.+?): (?P<what>.+?) \| expected: (?P<expected>.+?) \| got: (?P<got>.+?) \| hint: (?P<hint>.+)")


def prepare(folder):
    write_safetensors(folder / "w.safetensors", network(), {"input": "64"})
    write_safetensors(folder / "raw.safetensors", raw_tensors())
    (folder / "p.png").write_bytes(PNG)
    (folder / "folder").mkdir()
    write_lsp(folder / "lsp")
    (folder / "data/shapes").mkdir(parents=True)
    (folder / "data/shapes/cpm.txt").write_text('mb1_ic3ih9_oc4oh9_kh3_n"Q"\n', encoding="utf-8")
    write_grads(folder / "hist", stages=1, steps=10)
    subprocess.run(command("cpm-train", "--data", "synthetic:4", *TINY.split(), "--steps", 1, "--out", "run"), cwd=folder,
                   check=True, timeout=LIMIT, stdout=subprocess.DEVNULL)


class Workplace:
    """A folder for one row after the other."""

    def __init__(self, model):
        self.home = tempfile.TemporaryDirectory(prefix="cpm-audit-")
        self.folder = pathlib.Path(self.home.name) / "at"
        shutil.copytree(model, self.folder, symlinks=True)

    def answer(self, mistake):
        """(exit code, stdout and stderr as bytes, whether the folder is as it was)."""
        made = []
        for name, data in mistake.files.items():
            path = self.folder / name
            made += [parent for parent in path.parents if not parent.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            made.append(path)
        before = tree(self.home.name)
        limit = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (mistake.disk,) * 2)) if mistake.disk else None
        program, *arguments = mistake.command
        with open(mistake.stdout or os.devnull, "wb") as out:
            done = subprocess.run(
                [*command(program), *(os.fsencode(word) for word in arguments)], cwd=self.folder, timeout=LIMIT, check=False,
                stdin=subprocess.DEVNULL, stdout=out if mistake.stdout else subprocess.PIPE, stderr=subprocess.PIPE,
                preexec_fn=limit, env={**os.environ, "HOME": self.home.name, "TMPDIR": self.home.name})
        after = tree(self.home.name)
        for path in made:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        for name in sorted(set(after) - set(before)):  # for the rows to come
            path = pathlib.Path(self.home.name) / name
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        return done.returncode, done.stdout or b"", done.stderr, {name for name in {*before, *after}
                                                                  if before.get(name, 0) != after.get(name, 0)}


def faults(mistake, code, out, err, changed):
    """What is wrong with the answer, in words."""
    if code != mistake.code:
        yield f"exit code {code}, not {mistake.code}"
    if code not in CODES:
        yield f"exit code {code} is not documented"
    try:
        text = err.decode("utf-8")
    except UnicodeDecodeError:
        yield "stderr is no UTF-8"
        text = err.decode("utf-8", "replace")
    if out:
        yield f"something on stdout: {out[:80]}"
    lines = text.split("\n")
    if len(lines) != 2 or lines[1]:
        yield f"{len(lines) - 1} lines, not one"
    if not LINE.fullmatch(lines[0]):
        yield "not of the form error: WHERE: WHAT | expected: ... | got: ... | hint: ..."
    for letter in lines[0]:
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            yield f"{letter!a} is not for terminals"
    columns = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in lines[0])
    if columns > WIDEST:
        yield f"{columns} columns"
    for part in mistake.parts:
        if part not in lines[0]:
            yield f"does not say {part!r}"
    for word in CRASH:
        if word in text:
            yield f"{word!r}: a crash"
    if changed and mistake.unchanged:
        yield f"left behind or changed: {', '.join(sorted(changed)[:5])}"


def audit(mistakes):
    """Yields (mistake, its answer) in the table's order, two at a time."""
    with tempfile.TemporaryDirectory(prefix="cpm-audit-") as name:
        model = pathlib.Path(name)
        prepare(model)
        places = [Workplace(model) for _ in range(2)]
        with ThreadPoolExecutor(len(places)) as pool:
            def work(place, rows):
                return [place.answer(row) for row in rows]
            halves = [pool.submit(work, place, mistakes[i::len(places)]) for i, place in enumerate(places)]
            answers = [half.result() for half in halves]
    for i, mistake in enumerate(mistakes):
        yield mistake, answers[i % len(places)][i // len(places)]


class Audit(unittest.TestCase):
    def test_audit(self):
        mistakes, good, lines = list(table()), 0, set()
        self.assertEqual(len({mistake.name for mistake in mistakes}), len(mistakes), "two rows with one name")
        for mistake, (code, out, err, changed) in audit(mistakes):
            found = list(faults(mistake, code, out, err, changed))
            good += not found
            lines.add(err.decode("utf-8", "replace").rstrip("\n"))
            with self.subTest(mistake.name):
                self.assertEqual(found, [], f"\n{mistake.command}\n{err.decode('utf-8', 'replace')}")
        print(f"audit: {good} of {len(mistakes)} mistakes answered as docs/errors.md says")
        quoted = re.findall(r"^error: .*$", (SOURCE / "docs/troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
        self.assertGreater(len(quoted), 20)
        for line in quoted:
            with self.subTest(line):
                self.assertIn(line, lines)


def show(text):
    for mistake, (code, _, err, _) in audit([mistake for mistake in table() if text in mistake.name]):
        print(f"[{mistake.name}] {code}\n{err.decode('utf-8', 'replace')}", end="")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--show"]:
        show(" ".join(sys.argv[2:]))
    else:
        main()
