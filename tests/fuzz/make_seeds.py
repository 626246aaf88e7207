#!/usr/bin/env python3
"""Writes tests/fuzz/seeds: small sound files, and some broken ones, of each format, from which the fuzzers start.
usage: tests/fuzz/make_seeds.py   (the files are part of the repository; run it after a format changed)"""

import io
import json
import pathlib
import struct
import sys
import zipfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

from data_sets import coco, mpii, people  # noqa: E402
from grads_folder import EDGES, SPECIALS, STATS  # noqa: E402
from support import JOINTS, Tensor, mat_element, pack_mat, pack_png, pack_safetensors, png_chunk, write_safetensors  # noqa: E402


def jpeg(*, frame=0xc0, sampling=(0x11,), width=8, height=8, scan=b"\x3f" * 6, restart=0):
    """A JPEG of all-zero blocks: baseline (0xc0) or progressive (0xc2), of one or three components."""
    parts = len(sampling)
    last = 0 if frame == 0xc2 else 63
    return (b"\xff\xd8\xff\xdb" + struct.pack(">HB", 67, 0) + b"\1" * 64 +
            bytes([0xff, frame]) + struct.pack(">HBHHB", 8 + 3 * parts, 8, height, width, parts) +
            b"".join(bytes([i + 1, factors, 0]) for i, factors in enumerate(sampling)) +
            b"".join(b"\xff\xc4" + struct.pack(">HB", 20 + 1, kind) + bytes([1, 1] + [0] * 14) + b"\0\1" for kind in (0, 16)) +
            (b"\xff\xdd" + struct.pack(">HH", 4, restart) if restart else b"") +
            b"\xff\xda" + struct.pack(">HB", 6 + 2 * parts, parts) +
            b"".join(bytes([i + 1, 0]) for i in range(parts)) + bytes([0, last, 0]) + scan + b"\xff\xd9")


def png(width, height, depth, colour, rows, interlace=0, extra=()):
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)) +
            b"".join(png_chunk(*chunk) for chunk in extra) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b""))


def npy(descr, shape, data):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(10 + len(text) + 1) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


def npz(packing, **arrays):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as file:
        for name, data in arrays.items():
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), data, packing)
    return out.getvalue()


def stored(tensors, metadata=None):
    path = HERE / "seed.tmp.0"
    write_safetensors(path, tensors, metadata)
    data = path.read_bytes()
    path.unlink()
    return data


def swapped_mat():
    """Big endian, numbers stored as bytes, a small element for the name."""
    def element(kind, data):
        return struct.pack(">II", kind, len(data)) + data + b"\0" * (-len(data) % 8)
    body = (element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", 2, 2)) +
            struct.pack(">HH", 2, 1) + b"ab\0\0" + element(2, b"\1\2\3\4"))
    return b"MATLAB 5.0".ljust(124) + struct.pack(">H", 0x0100) + b"MI" + element(14, body)


def meta(linear):
    """meta.json of a network of one layer."""
    return json.dumps({
        "format": 1, "run": "a", "intermediate_supervision": True, "steps_per_epoch": 2.5, "accumulate": "step", "linear": linear,
        "bins": {"edges": EDGES}, "specials": SPECIALS, "stats": STATS,
        "tensors": [{"name": "a.weight", "kind": "weight", "depth": 1, "stage": 1, "layer": "a", "shape": [2, 3, 1, 1]}]}).encode()


def shortened_coco():
    whole = coco(people())
    return {**whole, "images": whole["images"][:1], "annotations": whole["annotations"][:2]}


def seeds():
    f32, f64 = Tensor([2, 3], [1, 2, 3, 4, 5, 6]), Tensor([2], [0.5, -1e300], "F64")
    one, steps = npy("<f4", (1,), struct.pack("<f", 1)), npy("<i8", (2,), struct.pack("<qq", 1, -2))
    rgb, grey = bytes(range(60)), bytes(range(16))
    pad = b"MATLAB 5.0 MAT-file".ljust(116) + b"\0" * 8 + struct.pack("<H", 0x0100) + b"IM"
    return {
        "safetensors": {
            "empty": pack_safetensors(b"{}"), "padded": pack_safetensors(b"{}      "),
            "two": stored({"conv1_stage1.weight": f32, "conv1_stage1.bias": f64}, {"pooling": "torch", "input": "64"}),
            "names": stored({"a": Tensor([], [1])}, {"joints": ",".join(JOINTS)}),
            "sums": stored({"a": f32}, {"crc32.a": "00000000", "crc32.header": "00000000"}),
            "none": pack_safetensors({"a": {"dtype": "U8", "shape": [0, 3], "data_offsets": [0, 0]}}),
            "escapes": pack_safetensors(b'{"\\u00e9\\n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}', b"\0" * 8)},
        "mat": {
            "lsp": pack_mat("joints", [3, 14, 1], [5.0] * 42), "packed": pack_mat("joints", [3, 2, 1], [5.0] * 6, True),
            "two": pack_mat("a", [1, 1], [1.0]) + pack_mat("b", [0, 4], [])[128:], "swapped": swapped_mat(),
            "char": pad + mat_element(14, mat_element(6, struct.pack("<II", 4, 0)) + mat_element(5, struct.pack("<ii", 1, 2)) +
                                      mat_element(1, b"t") + mat_element(16, b"ab")),
            "seven_three": b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n"},
        "npz": {
            "stored": npz(zipfile.ZIP_STORED, a=one, step=steps), "deflated": npz(zipfile.ZIP_DEFLATED, a=one, step=steps),
            "f4": one, "i8": steps, "u4": npy("<u4", (2, 1, 2), b"\7\0\0\0" * 4), "u8": npy("<u8", (), b"\xff" * 8),
            "none": npy("<f8", (0, 4), b"")},
        "toml": {
            "every_section": b'[model]\nstages = 2\nwidth = 0.5\npooling = "caffe"\n[data]\ninput = 64\n[optim]\nlr = 1e-3\n'
                             b'[train]\nbatch = 4\nname = "a b"\ncuda_graph = false\n[grads]\nevery = 2\n',
            "arrays": b"[optim]\nlr_stage = [1, 0.5]\n[supervision]\nstages = [1, 2]\n", "inline": b"train = {batch = 3, seed = 7}\n",
            "dotted": b"train.steps = 3\noptim.eps = inf\n", "set": b"model.stages=3\noptim.lr = 1e-4\ntrain.name=run\n",
            "dates": b"[train]\nsteps = 1979-05-27T07:32:00Z\n", "text": b'[train]\nname = """a\\u00e9\n"""\n'},
        "image": {
            "rgb.png": pack_png(5, 4, rgb), "grey.png": png(4, 4, 8, 0, b"".join(b"\4" + grey[i:i + 4] for i in range(0, 16, 4))),
            "palette.png": png(4, 2, 2, 3, b"\0\x1b\2\xe4", extra=((b"PLTE", rgb[:12]), (b"tRNS", b"\0\x80"))),
            "bits.png": png(9, 2, 1, 0, b"\0\xaa\x80\1\x55\0"), "deep.png": png(2, 1, 16, 6, b"\3" + rgb[:16]),
            "woven.png": png(3, 3, 8, 2, b"".join(b"\0" + rgb[:3 * n] for n in (1, 1, 2, 1, 1, 3)), 1),
            "grey.jpg": jpeg(), "colour.jpg": jpeg(sampling=(0x22, 0x11, 0x11), width=17, height=9, scan=b"\x15" * 20),
            "progressive.jpg": jpeg(frame=0xc2, width=16), "restarts.jpg": jpeg(width=24, scan=b"\x3f\xff\xd0\x3f\xff\xd1\x3f", restart=1)},
        "annotations": {"coco": json.dumps(shortened_coco()).encode(), "mpii": json.dumps(mpii(people())[:2]).encode(),
                        "root": json.dumps({"root": mpii(people())[:1]}).encode(), "none": b'{"images": [], "annotations": []}'},
        "records": {"run": meta(None), "linear": meta({"bins": 4, "range": 0.5}), "none": b"{}", "deep": b'{"format": ' + b"[" * 40},
        "cli": {
            "all": b"--weights\nw\n--data\nlsp:a,b,1-3\n--steps\n4\n--epochs=1e2\n--set\na=b\n--tune\nx.png",
            "resume": b"--resume\n--set=model.stages=3\n--json", "help": b"--help", "version": b"--version",
            "dashes": b"--\n--weights\n-", "specs": b"--data\nsynthetic:4,1-2", "raw": b"--data=raw:x.safetensors",
            "wrong": b"--wieghts\nx\n-q\n--tune=yes", "empty": b"--weights=\n--resume=\n"},
    }


def main():
    for target, files in seeds().items():
        folder = HERE / "seeds" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / (name if "." in name else f"{name}.seed")).write_bytes(data)


if __name__ == "__main__":
    main()
