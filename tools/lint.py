#!/usr/bin/env python3
"""Checks the rules of the house that no compiler checks; prints FILE:LINE: MESSAGE and exits 1 on findings.

Checked: who includes whom (docs/map.md), own header first, #pragma once, where device code lives, sizes of files and
functions, `using namespace` in headers, tabs, reminders left in the text, paths of one machine.

usage: tools/lint.py [--format] [--root DIR]   (--format: also clang-format 14 on every C++ file)
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

# A folder may include folders of its own rank and of lower ones, but one op's folder (kernels/<op>, OP_RANK) never
# another's. tests/ may include anything; nothing includes tests/.
RANKS = {
    "kernels/base": 0,
    "engine/tensor": 2, "engine/runtime": 2,
    "engine/autograd": 3, "engine/tune": 3, "engine/comm": 3,
    "engine/ops": 4,
    "engine/nn": 5, "engine/optim": 5, "engine/io": 5,
    "cpm": 6,
    "tools": 7,
}
OP_RANK = 1

CPP = {".cpp", ".h", ".cu", ".cuh"}
HEADERS = {".h", ".cuh"}
DEVICE = {".cu", ".cuh"}
TEXT = CPP | {".py", ".sh", ".md", ".txt", ".cmake", ".json", ".toml", ".yml", ".yaml", ""}

HEADER_LINES = 150
SOURCE_LINES = 400
HARD_LINES = 600
FUNCTION_LINES = 60
KERNEL_LINES = 120

# Projects of their own inside this one: includes start at their folder (or beside the file), lead nowhere outside it, and
# nobody outside leads into it. Their files have HARD_LINES at the most.
ISLANDS = ("tools/vgpu",)

# File: why it may have more than SOURCE_LINES lines (never more than HARD_LINES).
LONG_FILES = {}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
REMINDER = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}/])/(wo" r"rk|ro" r"ot|ho" r"me)/")
NOT_A_FUNCTION = re.compile(r"^(namespace|class|struct|union|enum|extern)\b|=\s*$")


class Linter:
    def __init__(self, root):
        self.root = root
        self.findings = []

    def report(self, path, line, message):
        self.findings.append(f"{path.as_posix()}:{line}: {message}")

    def run(self, paths):
        for path in paths:
            try:
                text = (self.root / path).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                self.report(path, 1, "is not UTF-8 text")
                continue
            lines = text.splitlines()
            self.check_text(path, lines)
            if path.suffix in CPP:
                self.check_place(path)
                self.check_size(path, lines)
                self.check_includes(path, lines)
                self.check_functions(path, lines)
                self.check_test_names(path, lines)
            if path.suffix in HEADERS:
                self.check_header(path, lines)
        return self.findings

    def check_text(self, path, lines):
        for number, line in enumerate(lines, 1):
            if "\t" in line:
                self.report(path, number, "tab")
            reminder = REMINDER.search(line)
            if reminder:
                self.report(path, number, f"{reminder.group()}: do it, or say in docs/ what is not done")
            machine = MACHINE_PATH.search(line)
            if machine:
                self.report(path, number, f"path of one machine: {machine.group()}")

    def check_test_names(self, path, lines):
        """CMake keeps discovered tests in lists, which these characters tear or join: tests would go missing."""
        for number, line in enumerate(lines, 1):
            name = re.match(r'TEST_CASE\(\s*"([^"]*)', line)
            if name and re.search(r"[\[\];\\]", name.group(1)):
                self.report(path, number, "test name with one of [ ] ; \\")

    def check_place(self, path):
        if path.suffix in DEVICE and path.parts[0] != "kernels" and path.parts[:3] != ("tools", "vgpu", "tests"):
            self.report(path, 1, "device code lives under kernels/ (and tools/vgpu/tests) only")

    def check_size(self, path, lines):
        limit = HEADER_LINES if path.suffix in HEADERS else SOURCE_LINES
        if path.as_posix() in LONG_FILES or island(path):
            limit = HARD_LINES
        if len(lines) > limit:
            self.report(path, limit + 1, f"{len(lines)} lines, at most {limit}: split it along its own seams")

    def check_header(self, path, lines):
        if "#pragma once" not in (line.strip() for line in lines):
            self.report(path, 1, "header without #pragma once")
        for number, line in enumerate(lines, 1):
            if re.match(r"\s*using\s+namespace\b", line):
                self.report(path, number, "using namespace in a header")

    def check_includes(self, path, lines):
        includes = []
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if match:
                includes.append((number, match.group(1), match.group(2)))
        home = island(path)
        own = path.with_suffix(".h")
        if path.suffix not in HEADERS and (self.root / own).is_file():
            own = own.relative_to(home).as_posix()
            if not includes or includes[0][2] != own:
                line = includes[0][0] if includes else 1
                self.report(path, line, f"own header first: {own}")
        for number, quote, target in includes:
            top = target.split("/")[0]
            if quote == "<":
                if top in ("kernels", "engine", "cpm", "tools", "tests"):
                    self.report(path, number, f"project headers go in quotes: {target}")
                continue
            if home and (self.root / path.parent / target).is_file():
                continue
            if not (self.root / home / target).is_file():
                self.report(path, number, f"include from {home or 'the repository root'}: {target} is not a file there")
            elif home:
                continue
            elif island(pathlib.PurePosixPath(target)):
                self.report(path, number, f"{island(pathlib.PurePosixPath(target))} is a project of its own: {target}")
            elif path.parts[0] != "tests":
                self.check_layer(path, number, pathlib.PurePosixPath(target))

    def check_layer(self, path, number, target):
        source_folder, target_folder = layer_folder(path), layer_folder(target)
        if source_folder == target_folder:
            return
        source, goal = rank(source_folder), rank(target_folder)
        if goal is None:
            self.report(path, number, f"{target_folder} may not be included (unknown layer)")
        elif source is None:
            self.report(path, number, f"{source_folder} is no layer that tools/lint.py knows")
        elif source == goal == OP_RANK:
            self.report(path, number, f"one op's folder never includes another's: {source_folder} -> {target_folder}")
        elif goal > source:
            self.report(path, number, f"layer: {source_folder} may not include {target_folder}")

    def check_functions(self, path, lines):
        for start, end, kernel in functions(lines):
            limit = KERNEL_LINES if kernel or path.parts[0] == "kernels" else FUNCTION_LINES
            if end - start + 1 > limit:
                self.report(path, start + 1, f"function of {end - start + 1} lines, at most {limit}")


def island(path):
    """The project inside this one that the file belongs to, "" for none."""
    return next((folder for folder in ISLANDS if path.as_posix().startswith(folder + "/")), "")


def layer_folder(path):
    """kernels/relu/cpu.cpp -> kernels/relu, engine/io/file.h -> engine/io, cpm/dataset/x.h -> cpm, tools/a.cpp -> tools."""
    depth = 2 if path.parts[0] in ("kernels", "engine") else 1
    return "/".join(path.parts[:-1][:depth])


def rank(folder):
    if folder in RANKS:
        return RANKS[folder]
    return OP_RANK if re.fullmatch(r"kernels/\w+", folder) else None


def strip_code(lines):
    """The lines without comments, strings and characters, so that braces can be counted."""
    text = "\n".join(lines)
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.DOTALL)
    return pattern.sub(lambda match: "\n" * match.group().count("\n"), text).split("\n")


def functions(lines):
    """(first line, last line, is a kernel) of each function body, 0-based, by matching braces: a brace that opens
    behind a parameter list while only namespaces and types are open starts a function."""
    stack = []  # what each open brace is: "scope" or the (line, kernel) of a function, None inside one
    head, head_line = "", 0
    for number, line in enumerate(strip_code(lines)):
        if line.lstrip().startswith("#") or lines[number].rstrip().endswith("\\"):
            continue
        for char in line:
            if char == "{":
                inside = any(entry != "scope" for entry in stack)
                declaration = re.sub(r"^\s*template\s*<.*?>\s*(?=\w)", "", head.strip(), flags=re.DOTALL)
                if inside:
                    stack.append(None)
                elif "(" in declaration and not NOT_A_FUNCTION.search(declaration):
                    stack.append((head_line, "__global__" in head))
                else:
                    stack.append("scope")
                head = ""
            elif char == "}":
                entry = stack.pop() if stack else None
                if isinstance(entry, tuple):
                    yield entry[0], number, entry[1]
                head = ""
            elif char == ";":
                head = ""
            else:
                if not head.strip():
                    head, head_line = "", number
                head += char
        head += "\n"


def repository_files(root):
    """What git tracks or would track; where there is no git, every file but what .gitignore names."""
    try:
        listing = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others",
                                  "--exclude-standard", "--deduplicate"], check=True, capture_output=True).stdout
        names = [name for name in listing.decode().split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        found = [path.relative_to(root) for path in root.rglob("*")]
        outputs = {".git", "build", "runs", ".ccache", ".peers"}
        names = [path.as_posix() for path in found if path.parts[0] not in outputs and "__pycache__" not in path.parts]
    paths = [pathlib.PurePosixPath(name) for name in sorted(names)]
    return [path for path in paths if path.suffix in TEXT and (root / path).is_file()]


def check_format(root, paths):
    tool = shutil.which("clang-format-14")
    if tool is None:
        print("lint: clang-format-14 is not there, layout not checked (tools/setup.sh --with-lint installs it)",
              file=sys.stderr)
        return []
    files = [path.as_posix() for path in paths if path.suffix in CPP]
    if not files:
        return []
    result = subprocess.run([tool, "--dry-run", "-Werror", *files], cwd=root, capture_output=True, text=True)
    found = re.findall(r"^(.+?:\d+):\d+: error: ", result.stderr, re.MULTILINE)
    if result.returncode != 0 and not found:
        return [f".clang-format:1: clang-format-14 failed: {result.stderr.strip()}"]
    return [f"{place}: layout differs from clang-format's (clang-format-14 -i mends it)" for place in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--format", action="store_true", help="also check the layout with clang-format 14")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    arguments = parser.parse_args()
    paths = repository_files(arguments.root)
    findings = Linter(arguments.root).run(paths)
    if arguments.format:
        findings += check_format(arguments.root, paths)
    for finding in findings:
        print(finding)
    print(f"lint: {len(paths)} files, {len(findings)} findings", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
