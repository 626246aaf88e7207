"""The audit's table: what users get wrong, one row each. A row's command runs in a folder that holds
  w.safetensors   weights of two small stages     raw.safetensors  image, center and target of a batch
  p.png, folder/  a picture, an empty folder      lsp/             joints.mat and images/im0001.png ... of three people
  run/            a run of one step               hist/            a run's histograms of gradients
  data/           the shapes that bench_conv looks for
and, while it runs, the row's own files. Nothing there may change, and out must not come to be (test_audit.py)."""

import dataclasses
import json
import pathlib
import shlex
import struct
import tempfile

from data_sets import coco, mpii, people
from grads_folder import write_grads
from support import COMPUTING, PROGRAMS, Tensor, network, pack_mat, pack_safetensors, picture, png_chunk

TINY = "--set model.stages=2 --set model.width=0.0625 --set data.input=64 --batch 4"
TRAIN = f"cpm-train --data synthetic:4 {TINY} --steps 1 --out out"
EVAL = "cpm-eval --weights w.safetensors --data synthetic:1"
INFER = "cpm-infer --weights w.safetensors --out out"
GRAD = "cpm-grad --weights w.safetensors --raw-input raw.safetensors"
CONV = "bench_conv --shape mb1_ic3ih9_oc4oh9_kh3 --samples 1"
NETWORK = "bench_cpm --size 64 --stages 1 --width 0.0625 --samples 1"


@dataclasses.dataclass(frozen=True)
class Mistake:
    name: str
    command: list   # words
    code: int       # as docs/errors.md has it
    parts: tuple    # what the line says, among the rest
    files: dict = dataclasses.field(default_factory=dict)  # path -> bytes, made before
    stdout: str = ""         # where standard output goes
    disk: int = 0            # bytes a file may have: a full disk
    unchanged: bool = True   # whether nothing may be left behind


def row(name, command, code, *parts, more=(), **options):
    """`more`: words behind the command that a shell would have to quote."""
    return Mistake(name, shlex.split(command) + [str(word) for word in more], code, parts, **options)


# Command lines ------------------------------------------------------------------------------------------------------


def flags():
    for program in PROGRAMS:
        yield row(f"{program}: a misspelt flag", f"{program} --jsno", 64, "--jsno", "did you mean --json?")
        if program != "bench_conv":  # there it names a file
            yield row(f"{program}: a value for a flag without one", f"{program} --json=yes", 64, "--json", "got: yes")
    for program in COMPUTING:
        yield row(f"{program}: no number", f"{program} --threads x", 64, "--threads", "integer", 'got: "x"')
        yield row(f"{program}: too large a number", f"{program} --threads {'9' * 20}", 64, "--threads", "too large")
        yield row(f"{program}: a flag twice", f"{program} --threads 1 --threads 2", 64, "--threads", "more than once")
        yield row(f"{program}: a flag without its value", f"{program} --threads", 64, "--threads", "a value is missing")
    for name, command in (("cpm-train", TRAIN), ("cpm-eval", EVAL), ("cpm-infer", f"{INFER} p.png"),
                          ("cpm-grad", f"{GRAD} --out out"), ("bench_cpm", NETWORK), ("bench_conv", CONV)):
        for device in ("cuda", "cuda:1"):
            yield row(f"{name}: {device} without one", f"{command} --device {device}", 69, "--device", f"got: {device}")
        yield row(f"{name}: an unknown device", f"{command} --device gpu", 64, "device", "cuda:N", "gpu")
        yield row(f"{name}: threads below zero", f"{command} --threads -1", 64, "threads", "got: -1")
        yield row(f"{name}: 5000 threads", f"{command} --threads 5000", 64, "threads", "got: 5000")
    yield row("cpm-doctor: an argument", "cpm-doctor run", 64, "run", "unexpected argument")
    yield row("an argument where none belongs", f"{TRAIN} p.png", 64, "p.png", "unexpected argument")
    yield row("a value with a space for a flag", f"{EVAL} --batch ' 4'", 64, "--batch", "integer")
    yield row("an empty value", "cpm-infer --weights= --out out p.png", 64, "--weights")
    yield row("a flag as another's value", "cpm-infer --weights --out out p.png", 64, "--weights", "a value is missing")


def settings():
    for name, flag, parts in (
            ("a batch of 0", "--batch 0", ("train.batch", "--batch", "1-65536", "got: 0")),
            ("a batch of 0 by its key", "--set train.batch=0", ("train.batch", "1-65536", "got: 0")),
            ("steps below zero", "--steps -3", ("train.steps", "got: -3")),
            ("epochs below zero", "--epochs -1", ("train.epochs", "got: -1")),
            ("an input that does not fit the strides", "--set data.input=100", ("data.input", "multiple of 8", "96 or 104")),
            ("a misspelt key", "--set model.stagse=3", ("unknown", "did you mean model.stages?")),
            ("a key without its section", "--set lr=3", ("unknown", "did you mean optim.lr?")),
            ("half a stage", "--set model.stages=2.5", ("model.stages", "integer", "2.5")),
            ("seven stages", "--set model.stages=7", ("model.stages", "1-6", "got: 7")),
            ("a misspelt word", "--set model.pooling=cafe", ("model.pooling", "torch", 'did you mean "caffe"?')),
            ("a learning rate below zero", "--set optim.lr=-1", ("optim.lr", "got: -1")),
            ("a learning rate of NaN", "--set optim.lr=nan", ("optim.lr", "got: nan")),
            ("a setting without a value", "--set model.stages", ("KEY=VALUE",)),
            ("a name that leaves the folder", "--set train.name=../../x", ("train.name", "../../x")),
            ("an unknown precision", "--precision fp23", ("train.precision", "fp32", "fp23")),
            ("a precision to come", "--precision bf16", ("precision", "not available yet", "bf16")),
            ("more memory than there is", "--set data.input=4096 --batch 65536", ("memory", "--batch", "at most")),
            ("steps and epochs", "--steps 3 --epochs 2", ("steps", "epochs"))):
        yield row(name, f"cpm-train --data synthetic:4 --out out {flag}", 64, *parts)
    yield row("no data", "cpm-train --out out", 64, "--data")
    for program, command in (("cpm-infer", f"{INFER} p.png"), ("cpm-grad", f"{GRAD} --out out")):
        yield row(f"{program}: a precision to come", f"{command} --precision tf32", 64, "precision", "not available yet", "tf32")
    for name, text, code, parts in (
            ("a broken section", "[train\n", 65, ("c.toml:1", "TOML")),
            ("a misspelt key in a file", "[train]\nbacth = 3\n", 64, ("c.toml:2:1", "did you mean train.batch?")),
            ("a misspelt section", "[trian]\nbatch = 3\n", 64, ("c.toml:1", "did you mean [train]?")),
            ("text for a number", '[train]\nbatch = "3"\n', 64, ("c.toml:2", "train.batch", "integer", 'the string "3"')),
            ("out of range in a file", "[train]\nbatch = 0\n", 64, ("c.toml:2", "train.batch", "1-65536")),
            ("a key twice", "[train]\nbatch = 3\nbatch = 4\n", 65, ("c.toml:3",)),
            ("no UTF-8", '[train]\nname = "\xff"\n', 65, ("c.toml",)),
            ("a key outside its section", "batch = 3\n", 64, ("c.toml:1", "train.batch"))):
        yield row(f"configuration: {name}", f"{TRAIN} --config c.toml", code, *parts, files={"c.toml": text.encode("latin-1")})
    yield row("configuration: missing", f"{TRAIN} --config c.toml", 65, "c.toml", "there is no such file")
    yield row("configuration: a folder", f"{TRAIN} --config folder", 65, "folder", "a directory")


def requests():
    """Each program's own flags."""
    for name, command, *parts in (
            ("cpm-infer: no weights", "cpm-infer --out out p.png", "--weights"),
            ("cpm-infer: no place", "cpm-infer --weights w.safetensors p.png", "--out"),
            ("cpm-infer: no image", INFER, "IMAGE"),
            ("cpm-infer: images and tensors", f"{INFER} p.png --raw-input raw.safetensors", "IMAGE"),
            ("cpm-infer: half a centre", f"{INFER} p.png --center 3", "--center", "X,Y"),
            ("cpm-infer: a centre of NaN", f"{INFER} p.png --center nan,3", "--center", "nan"),
            ("cpm-infer: a scale of 0", f"{INFER} p.png --scale 0", "--scale", "0.01 to 100"),
            ("cpm-eval: no weights", "cpm-eval --data synthetic:1", "--weights"),
            ("cpm-eval: no data", "cpm-eval --weights w.safetensors", "--data"),
            ("cpm-eval: an unknown metric", f"{EVAL} --metric pkc", "--metric", "got: pkc"),
            ("cpm-eval: a threshold of 0", f"{EVAL} --threshold 0", "--threshold", "got: 0"),
            ("cpm-eval: a batch of 0", f"{EVAL} --batch 0", "--batch", "got: 0"),
            ("cpm-eval: no zooms", f"{EVAL} --scales 1,,2", "--scales"),
            ("cpm-eval: a zoom of 99", f"{EVAL} --scales 99", "--scales", "99"),
            ("cpm-grad: no weights", "cpm-grad --raw-input raw.safetensors --out out", "--weights"),
            ("cpm-grad: no input", "cpm-grad --weights w.safetensors --out out", "--raw-input"),
            ("cpm-grad: no place", GRAD, "--out"),
            ("cpm-hist: no command", "cpm-hist", "show RUN"),
            ("cpm-hist: a misspelt command", "cpm-hist shwo hist", "did you mean show?"),
            ("cpm-hist: too many runs", "cpm-hist show hist hist", "show"),
            ("cpm-hist: one run to compare", "cpm-hist compare hist", "compare"),
            ("cpm-hist: an unknown kind", "cpm-hist show hist --kind weights", "--kind", "got: weights"),
            ("cpm-hist: no epochs", "cpm-hist show hist --epochs 1,x", "--epochs", "1,x"),
            ("cpm-hist: a range of 0", "cpm-hist show hist --range 0", "--range"),
            ("cpm-hist: no page", "cpm-hist show hist --out out.txt", "--out", "FILE.html"),
            ("cpm-compare: no run", "cpm-compare", "RUN"),
            ("bench_cpm: an unknown mode", f"{NETWORK} --mode backwards", "--mode", "backwards"),
            ("bench_cpm: a side that does not fit", "bench_cpm --size 65", "--size", "8"),
            ("bench_cpm: a batch of 0", f"{NETWORK} --batch 0", "--batch"),
            ("bench_cpm: seven stages", "bench_cpm --stages 7", "--stages"),
            ("bench_cpm: no samples", "bench_cpm --samples 0", "--samples"),
            ("bench_cpm: an unknown row", f"{NETWORK} --algo cpu.ftf", "cpu.ftf"),
            ("bench_conv: no such shape", "bench_conv --shape Q9", "Q9"),
            ("bench_conv: half a shape", "bench_conv --shape mb1_ic3", "mb1_ic3"),
            ("bench_conv: no such row", f"{CONV} --algo 'cpu.ftf'", "cpu.ftf"),
            ("bench_conv: no such direction", f"{CONV} --direction sideways", "--direction", "sideways"),
            ("bench_conv: a batch of 0", f"{CONV} --batch 0", "--batch"),
            ("bench_conv: no samples", "bench_conv --samples 0", "--samples")):
        yield row(name, command, 64, *parts)
    yield row("bench_conv: no such file", "bench_conv --shapes none.txt", 65, "none.txt", "nothing there")
    yield row("bench_conv: a file of something else", "bench_conv --shapes s.txt", 65, "s.txt:2",
              files={"s.txt": b"ic3ih9_oc4oh9_kh3\nhello\n"})


# Files that a user brings -------------------------------------------------------------------------------------------

PNG = picture(20, 20)
EIGHT = b"\0" * 8


def empty_png(width, height):
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            png_chunk(b"IEND", b""))


def images():
    yield row("image: missing", f"{INFER} nobody.png", 65, "nobody.png", "there is no such file")
    yield row("image: misspelt", f"{INFER} pp.png", 65, "pp.png", "did you mean p.png?")
    yield row("image: a folder", f"{INFER} folder", 65, "folder", "a directory")
    yield row("image: a device", f"{INFER} /dev/zero", 65, "/dev/zero", "regular file")
    crowded = b"\xff\xd8" + b"\xff\xc4" + struct.pack(">H", 19) + b"\0" + b"\xff" * 16 + b"\xff\xd9"
    for name, data, part in (
            ("empty", b"", "empty"), ("text", b"once upon a time", "a JPEG or PNG"), ("HTML", b"<html>404</html>", "HTML"),
            ("GIF", b"GIF89a" + EIGHT, "GIF"), ("only its first bytes", PNG[:8], "truncated"),
            ("cut PNG", PNG[:-40], "truncated"), ("changed PNG", PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:], "damaged"),
            ("0 pixels wide", empty_png(0, 10), "got: 0 x 10 pixels"), ("60000 pixels wide", empty_png(60000, 10), "too large"),
            ("60000 pixels a side", empty_png(60000, 60000), "too large"), ("too many pixels", empty_png(16000, 16000), "too large"),
            ("2^31 pixels a side", empty_png(2**31 - 1, 2**31 - 1), "too large"),
            ("more than the file can hold", empty_png(5000, 5000), "too short"), ("no pixels", empty_png(9, 9), "decoded"),
            ("cut JPEG", b"\xff\xd8\xff\xe0\0\x04ab", "truncated"), ("JPEG with too many codes", crowded, "Huffman")):
        yield row(f"image: {name}", f"{INFER} x.png", 65, "x.png", part, files={"x.png": data})


F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def entry(**changes):
    return {**F32, **changes}


TWICE = b'{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}'

# Every rule of the format, broken once.
HOSTILE_TENSORS = (
    ("empty", b"", "too short"), ("seven bytes", b"\0" * 7, "too short"),
    ("length beyond the file", pack_safetensors(b"{}", size=3), "ends inside its header"),
    ("length beyond any file", pack_safetensors(b"{}", size=2**64 - 1), "too long"),
    ("empty header", pack_safetensors(b""), "does not start"), ("a list", pack_safetensors(b"[]"), "does not start"),
    ("a leading space", pack_safetensors(b" {}"), "does not start"), ("cut JSON", pack_safetensors(b'{"a":'), "JSON"),
    ("text behind the object", pack_safetensors(b"{}x"), "JSON"), ("a NUL byte", pack_safetensors(b'{"a\0":1}'), "NUL"),
    ("no UTF-8", pack_safetensors(b'{"\xff":1}'), "JSON"), ("a name twice", pack_safetensors(TWICE, EIGHT), "twice"),
    ("a tensor that is none", pack_safetensors({"a": 3}), "object"),
    ("a field missing", pack_safetensors({"a": {"dtype": "F32", "shape": [2]}}, EIGHT), "missing"),
    ("an unknown field", pack_safetensors({"a": entry(stride=[1])}, EIGHT), "unknown field"),
    ("an unknown type", pack_safetensors({"a": entry(dtype="F31")}, EIGHT), "F31"),
    ("a shape below zero", pack_safetensors({"a": entry(shape=[-2])}, EIGHT), "-2"),
    ("a shape of halves", pack_safetensors({"a": entry(shape=[2.5])}, EIGHT), "2.5"),
    ("a shape past 64 bits", pack_safetensors({"a": entry(shape=[2**40, 2**40])}, EIGHT), "too large"),
    ("one offset", pack_safetensors({"a": entry(data_offsets=[0])}, EIGHT), "two"),
    ("three offsets", pack_safetensors({"a": entry(data_offsets=[0, 4, 8])}, EIGHT), "two"),
    ("offsets reversed", pack_safetensors({"a": entry(data_offsets=[8, 0])}, EIGHT), "before it begins"),
    ("offsets behind the file", pack_safetensors({"a": entry(data_offsets=[0, 80])}, EIGHT), "behind the end"),
    ("size against the shape", pack_safetensors({"a": entry(shape=[1])}, EIGHT), "shape"),
    ("overlap", pack_safetensors({"a": F32, "b": entry(data_offsets=[4, 12])}, EIGHT + EIGHT), "overlaps"),
    ("a hole", pack_safetensors({"a": entry(data_offsets=[4, 12])}, EIGHT + EIGHT), "hole"),
    ("bytes behind the last", pack_safetensors({"a": F32}, EIGHT + EIGHT), "does not end"),
    ("metadata of numbers", pack_safetensors({"__metadata__": {"a": 1}, "a": F32}, EIGHT), "metadata 'a'"),
    ("sound, but no network", pack_safetensors({"a": F32}, EIGHT), "conv7_stage1.weight"))


def tensor_file(tensors, metadata=None):
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, tensor in tensors.items():
        piece = tensor.values.tobytes()
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    return pack_safetensors(header, data)


def weights():
    for name, data, part in HOSTILE_TENSORS:
        yield row(f"weights: {name}", "cpm-infer --weights x.safetensors --out out p.png", 65, "x.safetensors", part,
                  files={"x.safetensors": data})
    good = tensor_file(network())
    commands = ("cpm-eval --weights x.safetensors --data synthetic:1", f"{TRAIN} --weights x.safetensors",
                "cpm-grad --weights x.safetensors --raw-input raw.safetensors --out out",
                "cpm-grad --weights w.safetensors --raw-input x.safetensors --out out", f"{INFER} --raw-input x.safetensors",
                "cpm-train --data raw:x.safetensors --out out")
    for size in (0, 9, 500, len(good) // 2, len(good) - 1):
        for command in commands[size % 7 % 2::2]:
            yield row(f"tensors cut to {size} bytes: {command[:40]}", command, 65, "x.safetensors",
                      files={"x.safetensors": good[:size]})
    nan = Tensor([15], [0] * 14 + [float("nan")])
    for name, parts, changes, metadata in (
            ("a tensor missing", ("conv2_stage1.weight", "missing"), {"conv2_stage1.weight": None}, {}),
            ("a wrong shape", ("conv2_stage1.bias", "[8]", "got: [9]"), {"conv2_stage1.bias": Tensor([9], [0] * 9)}, {}),
            ("two dimensions", ("conv3_stage2.weight",), {"conv3_stage2.weight": Tensor([8, 4], [0] * 32)}, {}),
            ("NaN", ("conv7_stage1.bias", "not finite"), {"conv7_stage1.bias": nan}, {}),
            ("integers", ("conv7_stage1.bias", "U8"), {"conv7_stage1.bias": Tensor([15], [0] * 15, "U8")}, {}),
            ("an unknown pooling", ("pooling", "torch or caffe", "got: max"), {}, {"pooling": "max"}),
            ("an odd input", ("input", "multiple of 8", "got: 65"), {}, {"input": "65"}),
            ("two names for 14 joints", ("joints", "14 names"), {}, {"joints": "head,foot"})):
        tensors = {key: tensor for key, tensor in {**network(), **changes}.items() if tensor is not None}
        yield row(f"weights: {name}", "cpm-infer --weights x.safetensors --out out p.png", 65, "x.safetensors", *parts,
                  files={"x.safetensors": tensor_file(tensors, metadata)})
    for name, tensors, *parts in (
            ("no image", {"center": Tensor([1, 1, 16, 16], [0] * 256)}, "image", "missing"),
            ("an odd side", {"image": Tensor([1, 3, 9, 16], [0] * 432), "center": Tensor([1, 1, 9, 16], [0] * 144)}, "multiple"),
            ("another batch", {"image": Tensor([1, 3, 8, 8], [0] * 192), "center": Tensor([2, 1, 8, 8], [0] * 128)}, "center"),
            ("no target", {"image": Tensor([1, 3, 8, 8], [0] * 192), "center": Tensor([1, 1, 8, 8], [0] * 64)}, "target")):
        yield row(f"raw input: {name}", "cpm-grad --weights w.safetensors --raw-input x.safetensors --out out", 65,
                  "x.safetensors", *parts, files={"x.safetensors": tensor_file(tensors)})


def data_sets():
    for name, spec, code, *parts in (
            ("a misspelt kind", "syntetic:4", 64, "did you mean synthetic?"), ("no number", "synthetic:x", 64, "got: x"),
            ("nothing behind the colon", "synthetic:", 64, "colon"), ("a range backwards", "synthetic:4,3-2", 64, "range", "3-2"),
            ("a range too far", "synthetic:4,3-9", 64, "1-4", "got: 3-9"), ("a range from 0", "synthetic:4,0-2", 64, "range"),
            ("no images", "lsp:lsp/joints.mat", 64, "lsp:JOINTS.mat,IMAGE_DIR"),
            ("no folder", "lsp:lsp/joints.mat,lsp/pictures", 65, "lsp/pictures", "no such folder"),
            ("no such file", "lsp:lsp/joint.mat,lsp/images", 65, "lsp/joint.mat", "did you mean lsp/joints.mat?"),
            ("a folder for a file", "lsp:lsp/images,lsp/images", 65, "lsp/images", "not a regular file"),
            ("three people and no more", "lsp:lsp/joints.mat,lsp/images,2-9", 64, "lsp/joints.mat", "1-3"),
            ("an image missing", "lsp:lsp/joints.mat,folder", 65, "folder/im000", "no such file"),
            ("no tensors", "raw:missing.safetensors", 65, "missing.safetensors", "no such file")):
        yield row(f"data: {name}", f"cpm-train --data {spec} {TINY} --steps 1 --out out", code, *parts)
    yield row("data: raw tensors to evaluate", "cpm-eval --weights w.safetensors --data raw:raw.safetensors", 64, "raw")
    sound, coordinates = pack_mat("joints", [3, 14, 1], [5.0] * 42), [5.0] * 42
    for name, data, part in (
            ("empty", b"", "ends inside its header"), ("text", b"joints = [1 2 3]".ljust(200), "MAT-file"),
            ("cut", sound[:-50], "longer than what holds it"),
            ("cut stream", pack_mat("joints", [3, 14, 1], coordinates, compressed=True)[:-9], "longer than what holds it"),
            ("HDF5", b"\x89HDF\r\n\x1a\n" + EIGHT * 80, "7.3"), ("another array", pack_mat("points", [3, 14, 1], coordinates), "joints"),
            ("no array", sound[:128], "joints"), ("two of three fields", pack_mat("joints", [2, 14, 1], [5.0] * 28), "2x14"),
            ("16 joints", pack_mat("joints", [3, 16, 1], [5.0] * 48), "3x16"),
            ("too few numbers", pack_mat("joints", [3, 14, 2], coordinates), "dimensions"),
            ("dimensions below zero", pack_mat("joints", [3, -14, 1], coordinates), "dimensions"),
            ("NaN", pack_mat("joints", [3, 14, 1], [float("nan")] * 42), "coordinates"),
            ("a flag of 7", pack_mat("joints", [3, 14, 1], [7.0] * 42), "flag")):
        yield row(f"MAT-file: {name}", "cpm-eval --weights w.safetensors --data lsp:x.mat,lsp/images --out out", 65, "x.mat", part,
                  files={"x.mat": data})


def annotations():
    """Annotations in JSON, as COCO and MPII have them."""
    sound = coco(people())
    def changed(**fields):
        return {**sound, "annotations": [{**sound["annotations"][0], **fields}, *sound["annotations"][1:]]}
    text = json.dumps(sound)
    nan = json.dumps(changed(keypoints=[float("nan")] * 51))
    for name, data, part in (
            ("empty", "", "the file is empty"), ("cut", text[:len(text) // 2], "JSON"), ("a comma too many", text[:-1] + ",}", "JSON"),
            ("text behind it", text + "x", "JSON"), ("NaN", nan, "JSON"), ("no UTF-8", text[:-1] + ',"a":"\udcff"}', "JSON"),
            ("nested without end", "[" * 100000, "x.json"), ("nested deeply", '{"a":' + "[" * 100000 + "]" * 100000 + "}", "x.json"),
            ("a list", "[]", "images and annotations"), ("another schema", '{"a": 1}', "images and annotations"),
            ("no images", json.dumps({**sound, "images": []}), "image"), ("no annotations", json.dumps({**sound, "annotations": []}), "x.json"),
            ("16 joints", json.dumps(changed(keypoints=[5] * 48)), "annotation 1"), ("50 numbers", json.dumps(changed(keypoints=[5] * 50)), "annotation 1"),
            ("text for coordinates", json.dumps(changed(keypoints=["a"] * 51)), "annotation 1"),
            ("coordinates past any image", json.dumps(changed(keypoints=[1e300] * 51)), "annotation 1"),
            ("half an image", json.dumps(changed(image_id=1.5)), "image_id"), ("an image not listed", json.dumps(changed(image_id=7)), "not listed"),
            ("an image twice", json.dumps({**sound, "images": sound["images"] * 2}), "image"),
            ("a name that leaves the folder", json.dumps({**sound, "images": [{"id": 50, "file_name": "../p.png"}]}), "../p.png"),
            ("a hostile name", json.dumps({**sound, "images": [{"id": 50, "file_name": "/a\n\u202eb"}]}), "x.json")):
        yield row(f"coco: {name}", f"cpm-eval --weights w.safetensors --data coco:x.json,lsp/images", 65, "x.json", part,
                  files={"x.json": data.encode("utf-8", "surrogateescape")})
    for name, data, part in (
            ("empty", "", "the file is empty"), ("an object", '{"images": []}', "list of records"), ("text", '["a"]', "x.json"),
            ("15 joints", json.dumps([{**mpii(people())[0], "joints": [[5, 5]] * 15}]), "record 1"),
            ("no image", json.dumps([{**mpii(people())[0], "image": ""}]), "record 1")):
        yield row(f"mpii: {name}", f"cpm-train --data mpii:x.json,lsp/images {TINY} --steps 1 --out out", 65, "x.json", part,
                  files={"x.json": data.encode()})
    for name, command, code, *parts in (
            ("no command", "cpm-data", 64, "check, stats, show or convert"), ("a misspelt command", "cpm-data chekc synthetic:4", 64, "check"),
            ("no data", "cpm-data check", 64, "SPEC"), ("two data sets", "cpm-data check synthetic:4 synthetic:4", 64, "SPEC"),
            ("a misspelt kind", "cpm-data stats coc:x,y", 64, "did you mean coco?"),
            ("missing file", "cpm-data stats coco:nobody.json,lsp/images", 65, "nobody.json", "no such file"),
            ("missing folder", "cpm-data stats mpii:p.png,nowhere", 65, "nowhere"),
            ("a picture for annotations", "cpm-data stats coco:p.png,lsp/images", 65, "p.png", "JSON")):
        yield row(f"cpm-data: {name}", command, code, *parts)


def recorded():
    """meta.json and part-000001.npz of a small run."""
    with tempfile.TemporaryDirectory() as folder:
        write_grads(folder, stages=1, steps=10)
        return [(pathlib.Path(folder) / "grads" / name).read_bytes() for name in ("meta.json", "part-000001.npz")]


def records():
    """Runs that cpm-hist and cpm-compare are pointed at."""
    yield row("histograms: no such run", "cpm-hist show nowhere", 65, "nowhere")
    yield row("histograms: a run without them", "cpm-hist show run", 65, "run", "--grad-hist")
    yield row("histograms: no tensor of that name", "cpm-hist show hist --tensors 'conv9*'", 65, "hist/grads", "conv9*")
    yield row("histograms: an epoch too late", "cpm-hist show hist --epochs 9", 65, "hist", "epoch 9")
    yield row("histograms: two runs, one missing", "cpm-hist compare hist nowhere --out out.html", 65, "nowhere")
    for name, text, part in (("no JSON", "{", "JSON"), ("a list", "[]", "object"), ("empty", "", "JSON"),
                             ("another schema", json.dumps({"a": 1}), "format"), ("a later format", '{"format": 2}', "format"),
                             ("text for a number", '{"format": "x"}', "format"), ("a number past all", '{"format": 1e300}', "format"),
                             ("nested without end", '{"format": ' + "[" * 100000, "nested too deeply"),
                             ("nested deeply", '{"format": ' + "[" * 100000 + "]" * 100000 + "}", "nested too deeply"),
                             ("no UTF-8", '{"format": 1, "bins": "\udcff"}', "JSON")):
        yield row(f"histograms: meta.json: {name}", "cpm-hist show h", 65, "h/grads/meta.json", part,
                  files={"h/grads/meta.json": text.encode("utf-8", "surrogateescape")})
    meta, part = recorded()
    for name, data, what in (("missing", None, "no record"), ("empty", b"", "zip"), ("text", b"hello" * 9, "zip"),
                             ("cut", part[:-30], "zip"), ("changed", part[:300] + bytes([part[300] ^ 4]) + part[301:], "part-000001.npz")):
        files = {"h/grads/meta.json": meta, **({} if data is None else {"h/grads/part-000001.npz": data})}
        yield row(f"histograms: part-000001.npz: {name}", "cpm-hist show h", 65, "h/grads", what, files=files)
    for name, text, what in (("no JSON", "{", "JSON"), ("no mean", "{}", "mean"), ("text for the mean", '{"mean": "x"}', "string")):
        yield row(f"comparison: metrics.json: {name}", "cpm-compare v", 65, "v/val/step-00000001/metrics.json", what,
                  files={"v/run.toml": b"", "v/val/step-00000001/metrics.json": text.encode()})
    yield row("comparison: no such run", "cpm-compare nowhere", 65, "nowhere")
    yield row("comparison: a run without validation", "cpm-compare run", 65, "run", "--val")
    yield row("comparison: a folder that is no run", "cpm-compare folder", 65, "folder")
    yield row("comparison: stages of no run", "cpm-compare run --stages nowhere", 65)


def resuming():
    yield row("resume: no run anywhere", "cpm-train --resume", 65, "run")
    yield row("resume: a folder that is no run", "cpm-train --resume folder", 65, "folder", "run.toml")
    yield row("resume: no such folder", "cpm-train --resume missing", 65, "missing")
    yield row("resume: a file", "cpm-train --resume p.png", 65, "p.png")
    for name, was, asked, flag in (("another seed", "seed = 0", "seed = 9", "--seed 9"),
                                   ("another network", "stages = 2", "stages = 3", "--set model.stages=3"),
                                   ("other data", "synthetic:4", "synthetic:5", "--data synthetic:5"),
                                   ("another batch", "batch = 4", "batch = 2", "--batch 2"),
                                   ("another learning rate", "lr = 0.0001", "lr = 0.1", "--set optim.lr=0.1")):
        yield row(f"resume: {name}", f"cpm-train --resume run {flag}", 64, was, asked)
    yield row("a run where one is", f"{TRAIN[:-10]} --out run", 64, "run", "--resume")


# Places and names ---------------------------------------------------------------------------------------------------

# Names that a shell, a terminal or a format string could trip over.
NAMES = ("two words", "it's", 'say "hi"', "$(touch gone)", "; rm -rf x", "%s%n", "line\nbreak", "tab\there", "\x1b[31mred",
         "-dash", "ünï cödé 日本", "a,1-3", "a:b", "~", "*", "\u202egnp.exe", "\u0085next", "a\u2028b", "../../../x", "..", "")
LONG = "é日" * 820  # 4,100 bytes
NOT_UTF8 = "\udcff\udcfe.png"  # bytes ff and fe, as Python hands them over


def places():
    """Outputs that cannot be written."""
    for place in ("p.png/below", "p.png/deep/below", "/proc/none", "/dev/null/x"):
        yield row(f"cpm-train to {place}", f"{TRAIN[:-10]} --out {place}", 73, place)
        yield row(f"cpm-infer to {place}", f"cpm-infer --weights w.safetensors --out {place} p.png", 73, place)
        yield row(f"cpm-eval to {place}", f"{EVAL} --out {place}", 73, place)
        yield row(f"cpm-grad to {place}", f"{GRAD} --out {place}", 73, place)
        yield row(f"cpm-hist to {place}", f"cpm-hist show hist --out {place}.html", 73, place)
    yield row("bench_conv to nowhere", f"{CONV} --json nowhere/x.json", 73, "nowhere/x.json")
    yield row("a run into a file", f"{TRAIN[:-10]} --out p.png", 73, "p.png")
    yield row("gradients into a folder", f"{GRAD} --out folder", 73, "folder", "directory")
    yield row("runs is a file", f"{TRAIN[:-10]}", 73, "runs", files={"runs": b"a file"})
    yield row("gradients to a full device", f"{GRAD} --out /dev/full", 74, "/dev/full", "space")
    yield row("gradients to a full disk", f"{GRAD} --out out", 74, "out", disk=100_000)
    yield row("heat maps to a full disk", f"{INFER} p.png", 74, "out", disk=10)
    yield row("a page to a full disk", "cpm-hist show hist --out out.html", 74, "out", disk=1000)
    for command in ("cpm-train --print-config", "cpm-eval --help", "cpm-infer --version", f"{EVAL} --json", "cpm-hist --help"):
        yield row(f"standard output is full: {command}", command, 74, "standard output", stdout="/dev/full")


def names():
    for name in (*NAMES, LONG, NOT_UTF8):
        short = ascii(name[:20])
        quiet = dict(files={})
        if name not in ("..", "*", "~"):
            yield row(f"weights named {short}", "cpm-infer --out out p.png", 65 if name else 64,
                      more=(f"--weights={name}",), **quiet)
        if name not in ("..", ""):
            yield row(f"an image named {short}", f"{INFER} --", 65, more=(name,), **quiet)
        yield row(f"data named {short}", "cpm-train --out out", 64, more=(f"--data={name}",), **quiet)
        yield row(f"a setting named {short}", TRAIN, 64, more=(f"--set={name}",), **quiet)
        yield row(f"a mode named {short}", "bench_cpm", 64, "--mode", more=(f"--mode={name}",), **quiet)
        if name:
            yield row(f"a run named {short}", "cpm-compare --", 65, more=(name + "/none",), **quiet)
            yield row(f"histograms of {short}", "cpm-hist show --", 65, more=(name + "/none",), **quiet)


def table():
    for topic in (flags, settings, requests, images, weights, data_sets, annotations, records, resuming, places, names):
        yield from topic()
