"""What users get wrong, over all programs: each mistake is answered by one line on stderr and the documented exit code,
leaves every input as it was and nothing else behind."""

import resource
import shutil
import struct

from support import (COMPUTING, PROGRAMS, TINY, Case, Tensor, main, network, pack_mat, pack_safetensors, picture, png_chunk,
                     raw_tensors, run, tree, write_lsp, write_safetensors)

F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
EIGHT = b"\0" * 8


def entry(**changes):
    return {**F32, **changes}


# Every rule of the format, broken once: name -> (bytes, what the line says).
HOSTILE_TENSORS = {
    "empty file": (b"", "too short"),
    "seven bytes": (b"\0" * 7, "too short"),
    "length beyond the file": (pack_safetensors(b"{}", size=3), "ends inside its header"),
    "length beyond any file": (pack_safetensors(b"{}", size=2**64 - 1), "too long"),
    "empty header": (pack_safetensors(b""), "does not start"),
    "not an object": (pack_safetensors(b"[]"), "does not start"),
    "leading space": (pack_safetensors(b" {}"), "does not start"),
    "cut JSON": (pack_safetensors(b'{"a":'), "JSON"),
    "text behind the object": (pack_safetensors(b"{}x"), "JSON"),
    "a NUL byte": (pack_safetensors(b'{"a\0":1}'), "NUL"),
    "not UTF-8": (pack_safetensors(b'{"\xff":1}'), "JSON"),
    "same name twice": (pack_safetensors(b'{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{"dtype":"F32",'
                                         b'"shape":[],"data_offsets":[4,8]}}', EIGHT), "twice"),
    "tensor is no object": (pack_safetensors({"a": 3}), "expected: "),
    "field missing": (pack_safetensors({"a": {"dtype": "F32", "shape": [2]}}, EIGHT), "missing"),
    "unknown field": (pack_safetensors({"a": entry(stride=[1])}, EIGHT), "unknown field"),
    "unknown type": (pack_safetensors({"a": entry(dtype="F31")}, EIGHT), "F31"),
    "shape below zero": (pack_safetensors({"a": entry(shape=[-2])}, EIGHT), "-2"),
    "shape of halves": (pack_safetensors({"a": entry(shape=[2.5])}, EIGHT), "2.5"),
    "shape past 64 bits": (pack_safetensors({"a": entry(shape=[2**40, 2**40])}, EIGHT), "too large"),
    "one offset": (pack_safetensors({"a": entry(data_offsets=[0])}, EIGHT), "expected: "),
    "three offsets": (pack_safetensors({"a": entry(data_offsets=[0, 4, 8])}, EIGHT), "expected: "),
    "offsets reversed": (pack_safetensors({"a": entry(data_offsets=[8, 0])}, EIGHT), "before it begins"),
    "offsets behind the file": (pack_safetensors({"a": entry(data_offsets=[0, 80])}, EIGHT), "behind the end"),
    "size against the shape": (pack_safetensors({"a": entry(shape=[1])}, EIGHT), "shape"),
    "overlap": (pack_safetensors({"a": F32, "b": entry(data_offsets=[4, 12])}, EIGHT + EIGHT), "overlaps"),
    "hole": (pack_safetensors({"a": entry(data_offsets=[4, 12])}, EIGHT + EIGHT), "hole"),
    "bytes behind the last": (pack_safetensors({"a": F32}, EIGHT + EIGHT), "does not end"),
    "metadata of numbers": (pack_safetensors({"__metadata__": {"a": 1}, "a": F32}, EIGHT), "expected: "),
    "sound, but no CPM": (pack_safetensors({"a": F32}, EIGHT), "conv7_stage1.weight"),
}

PNG = picture(20, 20)


def empty_png(width, height):
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            png_chunk(b"IEND", b""))


HOSTILE_IMAGES = {
    "empty": (b"", "empty"),
    "text": (b"once upon a time", "expected: a JPEG or PNG"),
    "HTML": (b"<html>404</html>", "HTML"),
    "GIF": (b"GIF89a" + EIGHT, "GIF"),
    "magic only": (PNG[:8], "header"),
    "cut PNG": (PNG[:len(PNG) - 40], "truncated"),
    "changed PNG": (PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:], "damaged"),
    "too wide": (empty_png(17000, 10), "too large"),
    "too many pixels": (empty_png(16000, 16000), "too large"),
    "more pixels than there are": (empty_png(2**31 - 1, 2**31 - 1), "header"),
    "more than the file can hold": (empty_png(5000, 5000), "too short"),
    "no pixels": (empty_png(9, 9), "decoded"),
    "JPEG without an end": (b"\xff\xd8\xff\xe0\0\x04ab", "header"),
}

SOUND = pack_mat("joints", [3, 14, 1], [5.0] * 42)
HOSTILE_ANNOTATIONS = {
    "empty": (b"", "ends inside its header"),
    "text": (b"joints = [1 2 3]".ljust(200), "MAT-file"),
    "cut": (SOUND[:-50], "longer than what holds it"),
    "cut stream": (pack_mat("joints", [3, 14, 1], [5.0] * 42, compressed=True)[:-9], "longer than what holds it"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + EIGHT * 80, "7.3"),
    "another array": (pack_mat("points", [3, 14, 1], [5.0] * 42), "joints"),
    "no array": (SOUND[:128], "joints"),
    "another shape": (pack_mat("joints", [2, 14, 1], [5.0] * 28), "2x14"),
    "too few numbers": (pack_mat("joints", [3, 14, 2], [5.0] * 42), "dimensions"),
    "dimensions below zero": (pack_mat("joints", [3, -14, 1], [5.0] * 42), "dimensions"),
    "not a number": (pack_mat("joints", [3, 14, 1], [float("nan")] * 42), "coordinates"),
    "strange flag": (pack_mat("joints", [3, 14, 1], [7.0] * 42), "flag"),
}

# Names that a shell, a terminal or a format string could trip over.
NAMES = ("two words", "it's", 'say "hi"', "$(id)", "; rm -rf x", "%s%n", "line\nbreak", "tab\t", "\x1b[31mred", "-dash",
         "ünï cödé 日本", "a,1-3", "a:b", "~", "*")
LONG = "é日" * 820  # 4,100 bytes


class Mistakes(Case):
    def setUp(self):
        super().setUp()
        self.inputs = self.folder / "in"
        self.inputs.mkdir()
        self.weights = self.inputs / "w.safetensors"
        write_safetensors(self.weights, network(), {"input": "64"})
        self.raw = self.inputs / "raw.safetensors"
        write_safetensors(self.raw, raw_tensors())
        self.image = self.inputs / "p.png"
        self.image.write_bytes(PNG)
        self.out = self.folder / "out"

    def refuse(self, code, parts, *arguments, **options):
        """The mistake is answered with that code and a line that holds the parts; nothing changes."""
        before = tree(self.folder)
        line = self.error(run(*arguments, **options), code, *parts)
        self.assertEqual(tree(self.folder), before)
        return line

    def train(self, *more, data="synthetic:4", steps=1, out=None):
        return ("cpm-train", "--data", data, *TINY, "--steps", steps, "--out", out or self.out, *more)

    def test_help_and_version(self):
        for program in PROGRAMS:
            for flag in ("--help", "-h", "--version"):
                result = self.ok(program, flag)
                self.assertEqual(result.err, "")
                self.assertIn(program, result.out)
                self.assertLessEqual(max(map(len, result.out.split("\n"))), 100)

    def test_command_lines(self):
        for program in PROGRAMS:
            with self.subTest(program):
                line = self.refuse(64, ("--jsno", "--json"), program, "--jsno")
                self.assertIn("hint", line.fields)
                if program != "bench_conv":  # there it names a file
                    self.refuse(64, ("--json", "expected: "), program, "--json=yes")
        for program in COMPUTING:
            with self.subTest(program):
                self.refuse(64, ("--threads", "expected: ", "got: x"), program, "--threads", "x")
                self.refuse(64, ("--threads", "expected: "), program, "--threads", 1, "--threads", 2)
                self.refuse(64, ("--threads", "expected: "), program, "--threads")
                self.refuse(64, ("--threads", "99999999999999999999"), program, "--threads", "9" * 20)

    def test_devices_and_threads(self):
        weights = ("--weights", self.weights)
        for arguments in (self.train(), ("cpm-eval", *weights, "--data", "synthetic:1"),
                          ("cpm-infer", *weights, "--out", self.out, self.image),
                          ("cpm-grad", *weights, "--raw-input", self.raw, "--out", self.out),
                          ("bench_cpm", "--size", 8)):
            with self.subTest(arguments[0]):
                for device in ("cuda", "cuda:1"):
                    self.refuse(69, ("--device", "expected: ", f"got: {device}", "hint: "), *arguments, "--device", device)
                self.refuse(64, ("device", "expected: ", "gpu"), *arguments, "--device", "gpu")
                self.refuse(64, ("threads", "expected: ", "-1"), *arguments, "--threads", -1)
                self.refuse(64, ("threads", "expected: ", "5000"), *arguments, "--threads", 5000)

    def test_precisions_to_come(self):
        """Known names that nothing computes in yet are no unknown values."""
        weights = ("--weights", self.weights, "--out", self.out)
        for precision in ("bf16", "tf32"):
            parts = ("precision", "expected: ", precision, "hint: ")
            for arguments in (self.train("--precision", precision), ("cpm-infer", *weights, "--precision", precision, self.image),
                              ("cpm-grad", *weights, "--raw-input", self.raw, "--precision", precision)):
                with self.subTest(arguments[0], precision=precision):
                    self.refuse(64, ("not available yet", *parts), *arguments)
            self.refuse(64, ("train.precision", "yet", *parts), *self.train("--set", f"train.precision={precision}"))

    def test_settings(self):
        for parts, more in (
                (("train.batch", "1-65536", "got: "), ("--set", "train.batch=0")),
                (("train.steps", "got: -3"), ("--set", "train.steps=-3")),
                (("data.input", "multiple of 8", "got: 100", "96 or 104"), ("--set", "data.input=100")),
                (("unknown", "did you mean model.stages?"), ("--set", "model.stagse=3")),
                (("unknown", "did you mean optim.lr?"), ("--set", "lr=3")),
                (("model.stages", "integer", "2.5"), ("--set", "model.stages=2.5")),
                (("model.pooling", "torch", "did you mean \"caffe\"?"), ("--set", "model.pooling=cafe")),
                (("optim.lr", "got: -1"), ("--set", "optim.lr=-1")),
                (("optim.lr", "nan"), ("--set", "optim.lr=nan")),
                (("KEY=VALUE",), ("--set", "model.stages")),
                (("train.name", "got: "), ("--set", "train.name=../../x")),
                (("train.precision", "unknown value", "fp32", "fp23"), ("--precision", "fp23")),
                (("train.epochs", "got: -1"), ("--epochs", -1)),
                (("memory", "--batch", "expected: at most"), ("--set", "data.input=4096", "--set", "train.batch=65536"))):
            with self.subTest(parts):
                self.refuse(64, parts, "cpm-train", "--data", "synthetic:4", "--out", self.out, *more)
        self.refuse(64, ("train.batch", "got: 0"), "cpm-train", "--data", "synthetic:4", "--batch", 0, "--out", self.out)
        self.refuse(64, ("train.steps", "got: -3"), "cpm-train", "--data", "synthetic:4", "--steps", -3, "--out", self.out)
        self.refuse(64, ("--data", "expected: "), "cpm-train", "--out", self.out)

    def test_configuration_files(self):
        file = self.inputs / "c.toml"
        for code, text, parts in (
                (65, "[train\n", ("c.toml:1", "TOML")),
                (64, "[train]\nbacth = 3\n", ("c.toml:2:1", "did you mean train.batch?")),
                (64, "[trian]\nbatch = 3\n", ("c.toml:1", "did you mean [train]?")),
                (64, "[train]\nbatch = \"3\"\n", ("c.toml:2", "train.batch", "expected: ", "got: ")),
                (64, "[train]\nbatch = 0\n", ("c.toml:2", "train.batch", "1-65536")),
                (65, "[train]\nbatch = 3\nbatch = 4\n", ("c.toml:3",)),
                (65, "[train]\nname = \"\xff\"\n", ("c.toml",))):
            file.write_bytes(text.encode("latin-1"))
            self.refuse(code, parts, *self.train("--config", file))
        file.unlink()
        self.refuse(65, ("c.toml", "there is no such file"), *self.train("--config", file))

    def test_data(self):
        write_lsp(self.inputs)
        mat, images = self.inputs / "joints.mat", self.inputs / "images"
        for code, parts, spec in (
                (64, ("did you mean synthetic?",), "syntetic:4"), (64, ("got: ",), "synthetic:x"),
                (64, ("expected: ",), "synthetic:"), (64, ("range",), "synthetic:4,3-2"),
                (64, ("range", "1-4", "got: 3-9"), "synthetic:4,3-9"), (64, ("range",), "synthetic:4,0-2"),
                (64, ("lsp:JOINTS.mat,IMAGE_DIR",), f"lsp:{mat}"), (65, ("no such folder",), f"lsp:{mat},{images}x"),
                (65, ("no such file", "joints.mat?"), f"lsp:{mat}x,{images}"),
                (65, ("not a regular file",), f"lsp:{images},{images}"),
                (64, ("range", "1-3"), f"lsp:{mat},{images},2-9"), (65, ("no such file",), "raw:missing.safetensors")):
            with self.subTest(spec):
                self.refuse(code, parts, *self.train(data=spec))
        # A broken or missing image is found before there is a run directory.
        (images / "im0002.png").unlink()
        self.refuse(65, ("im0002",), *self.train(data=f"lsp:{mat},{images}"))

    def test_hostile_tensors(self):
        file = self.inputs / "hostile.safetensors"
        for name, (data, part) in HOSTILE_TENSORS.items():
            with self.subTest(name):
                file.write_bytes(data)
                line = self.refuse(65, (str(file), part, "expected: ", "got: "), "cpm-infer", "--weights", file, "--out",
                                   self.out, self.image)
                self.assertEqual(line.names[:2], ["expected", "got"])
        good = self.weights.read_bytes()
        for size in (0, 1, 9, 500, len(good) // 2, len(good) - 1):
            file.write_bytes(good[:size])
            for arguments in (("cpm-grad", "--weights", file, "--raw-input", self.raw, "--out", self.out),
                              ("cpm-grad", "--weights", self.weights, "--raw-input", file, "--out", self.out),
                              ("cpm-eval", "--weights", file, "--data", "synthetic:1"), self.train("--weights", file)):
                self.refuse(65, (str(file),), *arguments)

    def test_hostile_weights(self):
        """Sound files that hold another network than their names promise."""
        file = self.inputs / "odd.safetensors"
        nan = Tensor([15], [0] * 14 + [float("nan")])
        for parts, changes, metadata in (
                (("conv2_stage1.weight", "missing"), {"conv2_stage1.weight": None}, {}),
                (("conv2_stage1.bias", "expected: [8]", "got: [9]"), {"conv2_stage1.bias": Tensor([9], [0] * 9)}, {}),
                (("conv3_stage2.weight", "got: "), {"conv3_stage2.weight": Tensor([8, 4], [0] * 32)}, {}),
                (("conv7_stage1.bias", "not finite"), {"conv7_stage1.bias": nan}, {}),
                (("pooling", "torch or caffe", "got: max"), {}, {"pooling": "max"}),
                (("input", "multiple of 8", "got: 65"), {}, {"input": "65"}),
                (("joints", "14 names"), {}, {"joints": "head,foot"})):
            tensors = {**network(), **changes}
            write_safetensors(file, {name: tensor for name, tensor in tensors.items() if tensor is not None}, metadata)
            with self.subTest(parts):
                self.refuse(65, (str(file), *parts), "cpm-infer", "--weights", file, "--out", self.out, self.image)

    def test_hostile_images(self):
        file = self.inputs / "hostile.png"
        for name, (data, part) in HOSTILE_IMAGES.items():
            with self.subTest(name):
                file.write_bytes(data)
                self.refuse(65, (str(file), part, "expected: ", "got: ", "hint: "), "cpm-infer", "--weights", self.weights,
                            "--out", self.out, file)
        self.refuse(65, ("directory",), "cpm-infer", "--weights", self.weights, "--out", self.out, self.inputs)

    def test_hostile_annotations(self):
        file = self.inputs / "joints.mat"
        (self.inputs / "images").mkdir()
        for name, (data, part) in HOSTILE_ANNOTATIONS.items():
            with self.subTest(name):
                file.write_bytes(data)
                self.refuse(65, (str(file), part, "expected: ", "got: "), "cpm-eval", "--weights", self.weights, "--data",
                            f"lsp:{file},{self.inputs / 'images'}", "--out", self.out)

    def test_places_that_cannot_be_written(self):
        for place in (self.image / "below", self.image / "deep" / "below", "/proc/none", "/dev/null/x"):
            with self.subTest(str(place)):
                out = ("--out", place)
                weights = ("--weights", self.weights)
                self.refuse(73, (str(place), "got: ", "hint: "), *self.train(out=place))
                self.refuse(73, (str(place), "got: ", "hint: "), "cpm-infer", *weights, *out, self.image)
                self.refuse(73, (str(place), "got: ", "hint: "), "cpm-eval", *weights, *out, "--data", "synthetic:1")
                self.refuse(73, (str(place), "got: ", "hint: "), "cpm-grad", *weights, "--raw-input", self.raw, *out)
        self.refuse(73, (str(self.image), "got: "), *self.train(out=self.image))
        self.refuse(73, (str(self.inputs), "directory"), "cpm-grad", "--weights", self.weights, "--raw-input", self.raw,
                    "--out", self.inputs)
        self.refuse(74, ("/dev/full", "space"), "cpm-grad", "--weights", self.weights, "--raw-input", self.raw, "--out",
                    "/dev/full")
        (self.folder / "runs").write_text("a file", encoding="utf-8")
        self.refuse(73, ("runs",), *self.train()[:-2], cwd=self.folder)

    def test_output_that_gets_lost(self):
        """A full disk behind a redirection is no success."""
        with open("/dev/full", "wb") as full:
            for arguments in (("cpm-train", "--print-config"), ("cpm-eval", "--help"), ("cpm-infer", "--version"),
                              ("cpm-eval", "--weights", self.weights, "--data", "synthetic:1", "--json")):
                self.refuse(74, ("standard output",), *arguments, stdout=full)

    def test_resume(self):
        self.refuse(65, ("run", "expected: "), "cpm-train", "--resume", cwd=self.folder)
        self.refuse(65, (str(self.inputs), "run.toml"), "cpm-train", "--resume", self.inputs)
        self.refuse(65, ("missing",), "cpm-train", "--resume", self.folder / "missing")
        self.ok(*self.train())
        for parts, more in ((("seed = 0", "seed = 9"), ("--seed", 9)),
                            (("stages = 2", "stages = 3"), ("--set", "model.stages=3")),
                            (("synthetic:4", "synthetic:5"), ("--data", "synthetic:5")),
                            (("batch = 4", "batch = 2"), ("--batch", 2)),
                            (("lr = 0.0001", "lr = 0.1"), ("--set", "optim.lr=0.1"))):
            with self.subTest(parts):
                self.refuse(64, ("expected: ", "got: ", *parts), "cpm-train", "--resume", self.out, *more)
        # Another network behind the same settings: the checkpoint says so.
        toml = self.out / "run.toml"
        toml.write_text(toml.read_text(encoding="utf-8").replace("width = 0.0625", "width = 0.125 "), encoding="utf-8")
        before = tree(self.out / "ckpt")
        self.error(run("cpm-train", "--resume", self.out, "--steps", 3), 65, "checkpoint of another network", "expected: ")
        self.assertEqual(tree(self.out / "ckpt"), before)

    def test_damaged_checkpoints(self):
        """The newest sound one is taken; with none left, training starts again."""
        self.ok(*self.train("--checkpoint-every", 1, steps=4))
        whole = (self.out / "weights.safetensors").read_bytes()
        checkpoints = sorted((self.out / "ckpt").glob("step-*.ckpt"))
        self.assertEqual([path.name for path in checkpoints][-1], "step-00000004.ckpt")
        for damaged, damage in ((checkpoints[-1:], lambda data: data[:-1]), (checkpoints[-1:], lambda _: b""),
                                (checkpoints[-2:], lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]),
                                (checkpoints, lambda data: data[: len(data) // 2])):
            for path in damaged:
                path.write_bytes(damage(path.read_bytes()))
            (self.out / "weights.safetensors").unlink()
            result = self.ok("cpm-train", "--resume", self.out)
            self.assertEqual(result.err.count("warning: skipping a damaged checkpoint"), len(damaged))
            for path in damaged:
                self.assertIn(path.name, result.err)
            self.assertTrue((self.out / "weights.safetensors").read_bytes() == whole)

    def test_strange_names(self):
        """They are names, nothing more: shown on one line where they are missing, used where they are there."""
        for name in (*NAMES, LONG):
            with self.subTest(name[:20]):
                path = self.inputs / name
                self.refuse(65, (), "cpm-infer", "--weights", path, "--out", self.out, self.image)
                self.refuse(65, (), "cpm-infer", "--weights", self.weights, "--out", self.out, path)
                self.refuse(64, (), *self.train(), "--set", name)
                self.refuse(64, (), "cpm-train", "--data", name, "--out", self.out)
                line = self.refuse(64, (), "bench_cpm", "--mode", name)
                self.assertFalse(any(ord(c) < 0x20 or c == "\x7f" for c in line.line))
        for i, name in enumerate(NAMES):
            with self.subTest(name):
                folder = self.folder / f"{i}" / name
                folder.mkdir(parents=True)
                shutil.copy(self.weights, folder / name)
                shutil.copy(self.image, folder / f"{name}.png")
                self.ok("cpm-infer", "--weights", folder / name, "--out", folder / "o u t", folder / f"{name}.png")
                self.assertEqual({path.name for path in (folder / "o u t").iterdir()}, {f"{name}.png", "keypoints.json"})
        for name in ("two words", "; rm -rf x", "line\nbreak", "日本", '"q"'):
            out = self.folder / name
            self.ok(*self.train("--weights", self.weights, out=out))
            self.ok("cpm-train", "--resume", out, "--steps", 2)

    def test_full_disk(self):
        """A limit on the size of files stands in for the disk: what is larger than the limit cannot be written. Weights
        take 0.26 MB here, checkpoints 0.8 MB."""
        def limit(size):
            return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        every = ("--checkpoint-every", 1)
        # At the checkpoints: training goes on with a warning each; the last save of all is an error.
        result = run(*self.train(*every, steps=4), before=limit(600_000))
        self.error(result, 74, "step-00000004.ckpt", "expected: ", "got: ", "hint: ")
        self.assertEqual(result.err.count("warning: no checkpoint at step"), 3)
        self.assertEqual(list((self.out / "ckpt").iterdir()), [])
        self.assertIn('"failed"', (self.out / "status.json").read_text(encoding="utf-8"))
        # The disk has room again: the run goes on.
        self.ok("cpm-train", "--resume", self.out, "--steps", 3)
        # Full again: the last good checkpoint and the old weights stay.
        good = tree(self.out / "ckpt"), (self.out / "weights.safetensors").read_bytes()
        self.error(run("cpm-train", "--resume", self.out, "--steps", 6, before=limit(600_000)), 74, "step-00000006.ckpt")
        self.assertEqual((tree(self.out / "ckpt"), (self.out / "weights.safetensors").read_bytes()), good)
        self.ok("cpm-train", "--resume", self.out, "--steps", 6)
        fresh = self.folder / "fresh"
        self.ok(*self.train(*every, steps=6, out=fresh))
        self.assertTrue((fresh / "weights.safetensors").read_bytes() == (self.out / "weights.safetensors").read_bytes())
        # The other programs.
        before = tree(self.folder)
        self.error(run("cpm-grad", "--weights", self.weights, "--raw-input", self.raw, "--out", self.folder / "g",
                       before=limit(100_000)), 74, str(self.folder / "g"))
        self.assertEqual(tree(self.folder), before)

    def test_a_run_that_breaks_says_so(self):
        """Weights that explode: exit code 1, status "failed", the last good weights kept."""
        arguments = self.train("--set", "optim.lr=1e30", "--checkpoint-every", 1, steps=20)
        self.error(run(*arguments), 1, "diverged", "expected: ", "got: ", "optim.lr")
        self.assertIn('"failed"', (self.out / "status.json").read_text(encoding="utf-8"))
        self.assertFalse((self.out / "weights.safetensors").exists())


if __name__ == "__main__":
    main()
