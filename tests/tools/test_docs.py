"""Every command shown in README.md and docs/ runs, page by page in the order shown, in a copy of a reader's folder.

Long commands are shortened by appended flags (a later flag wins), never replaced: what runs is what is shown plus a limit.
Commands that build or test the whole project are run by continuous integration and by test_demo.py; here they must only name
presets and scripts that exist."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from support import BIN, SOURCE, picture, write_lsp  # noqa: E402

sys.path.insert(0, str(SOURCE / "tools"))
import compare_pytorch  # noqa: E402

# Appended to a program's shown flags.
SHORT = {
    "cpm-train": ["--steps", "3", "--set", "train.val_every=0", "--set", "model.width=0.03", "--set", "data.input=64",
                  "--batch", "2"],
    "bench_conv": ["--seconds", "0"],
    "bench_cpm": ["--size", "64", "--width", "0.125"],
}
# Run elsewhere, because they are this very build: the file that runs them.
WHOLE_PROJECT = {
    "tools/demo.sh": "tests/tools/test_demo.py",
    "tools/figure5.sh": "tests/tools/test_figure5.py",
    "tools/figure6.sh": "tests/tools/test_figure6.py",
    "tools/test.sh": ".ci/run",
    "tools/fuzz.sh": ".ci/run",
    "tools/fuzz.sh --inputs 1000000 image mat": "tools/fuzz.sh",
    "tools/gpu_check.sh": "tests/tools/test_gpu_check.py",
    "PRESET=asan tools/test.sh": "CMakePresets.json",
    "PRESET=tsan tools/test.sh": "CMakePresets.json",
    'CPM_TEST_DATA=path/to/data build/release/tests/cpm_tests "[golden-large]"': "tests/cpm/golden_test.cpp",
    "cmake --preset release": "tools/build.sh",
    'cmake --preset release -DCPM_CUDA_ARCHITECTURES="75-real;80-real;86-real;89-real;90-real;100-real;120"': "CMakeLists.txt",
    "cmake --build --preset release": "tools/build.sh",
    "ctest --preset release": "tools/test.sh",
    "tools/sass_check.py": "tests/CMakeLists.txt",
    "tensorboard --logdir runs": "tests/tools/test_tensorboard.py",
    "python3 tests/tools/test_cuda_counters.py --figures conv2d": "tests/tools/test_cuda_counters.py",
}


def commands(page):
    """The commands of the fenced bash blocks: without comments and line continuations."""
    found = []
    for block in re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"(^|\s)#.*", "", line).strip()
            if line:
                found.append(line)
    return found


def readers_folder(folder):
    """What the pages take for granted: the repository's data (convolutions at 8 x 8 pixels, for their time), a photo, a
    Leeds folder of a few people."""
    (folder / "data/shapes").mkdir(parents=True)
    for part in (SOURCE / "data").iterdir():
        if part.name != "shapes":
            (folder / "data" / part.name).symlink_to(part)
    for file in (SOURCE / "data/shapes").iterdir():
        small = re.sub(r"(ih|oh)\d+", r"\g<1>8", file.read_text(encoding="utf-8"))
        (folder / "data/shapes" / file.name).write_text(small, encoding="utf-8")
    (folder / "photo.jpg").write_bytes(picture(80, 100))
    write_lsp(folder / "lspet", people=6)


class Docs(unittest.TestCase):
    def run_page(self, page):
        with tempfile.TemporaryDirectory() as temp:
            folder = Path(temp)
            readers_folder(folder)
            for command in commands(page):
                if command in WHOLE_PROJECT:
                    self.assertTrue((SOURCE / WHOLE_PROJECT[command]).is_file(), command)
                    continue
                if command.startswith("tools/compare_pytorch.py "):  # needs PyTorch: test_compare_pytorch.py runs it
                    compare_pytorch.parse(shlex.split(command)[1:])
                    continue
                words = [re.sub(r",1-3500$", ",1-4", re.sub(r",3501-3600$", ",5-6", w)) for w in shlex.split(command)]
                if words[:2] == ["cmake", "--install"]:
                    words[2] = str(BIN.parent)
                elif words[0].startswith("build/release/bin/"):
                    name = Path(words[0]).name
                    words = [str(BIN / name), *words[1:], *SHORT.get(name, [])]
                else:
                    self.fail(f"{page.name}: nothing is known about: {command}")
                environment, expected = dict(os.environ), 0
                if "cuda" in words:  # on the virtual GPU; a build without CUDA must say that it has no such device
                    environment["LD_LIBRARY_PATH"] = str(BIN.parent / "vgpu")
                    expected = 0 if (BIN.parent / "vgpu/libcudart.so.13").exists() else 69
                result = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=environment,
                                        timeout=600 * float(os.environ.get("CPM_TEST_SLOW", "1")))
                self.assertEqual(result.returncode, expected, f"{page.name}: {command}\n{result.stdout}\n{result.stderr}")

    def test_every_page(self):
        pages = [SOURCE / "README.md", *sorted((SOURCE / "docs").rglob("*.md"))]
        self.assertGreaterEqual(sum(len(commands(page)) for page in pages), 8)
        for page in pages:
            with self.subTest(page=page.name):
                self.run_page(page)


if __name__ == "__main__":
    unittest.main()
