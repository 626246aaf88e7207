"""RUN/grads/ as cpm-train --grad-hist writes it, made here without the project's code: of gradients drawn from log-normal
laws, so that what is read off the counters can be computed beside them."""

import array
import functools
import io
import json
import math
import pathlib
import zipfile

from support import layers

BINS = 160
EDGES = [(1.5 if b % 2 else 1.0) * 2.0 ** (-60 + b // 2) for b in range(BINS + 1)]
SPECIALS = ["zero", "subnormal", "underflow", "overflow", "nan", "inf"]
STATS = ["l2", "max", "mean", "update_ratio"]


def npy(code, shape, values):
    """The bytes of an .npy file, version 1.0."""
    descr = {"q": "<i8", "I": "<u4", "Q": "<u8", "d": "<f8"}[code]
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}".encode()
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + array.array(code, values).tobytes()


def npz(arrays):
    """name -> (code, shape, values), deflated."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, (code, shape, values) in arrays.items():
            file.writestr(zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0)), npy(code, shape, values),
                          zipfile.ZIP_DEFLATED)
    return out.getvalue()


@functools.lru_cache(maxsize=None)
def masses(center, sigma):
    """Of 2^(center + sigma z) in each bin."""
    below = [0.5 * (1 + math.erf((math.log2(edge) - center) / sigma / math.sqrt(2))) for edge in EDGES]
    return [high - low for low, high in zip(below, below[1:])]


def log_normal(elements, center, sigma, zeros=0.0):
    """320 signed counters and 6 special ones: |g| = 2^(center + sigma z), half of it negative; what rounding leaves
    over is zero, too."""
    magnitude = [math.floor(elements * (1 - zeros) * mass) for mass in masses(center, sigma)]
    negative = [count // 2 for count in magnitude]
    positive = [count - half for count, half in zip(magnitude, negative)]
    return negative[::-1] + positive, [elements - sum(magnitude), 0, 0, 0, 0, 0]


def write_grads(run, name="run", stages=3, every=5, steps=60, steps_per_epoch=20, supervised=True, center=None, zeros=0.0,
                per_part=5, linear=None, size=16):
    """Makes RUN/grads/ of a small network. `center(depth, stage, step)` is the log2 of a layer's median gradient. Returns
    what was written: tensor -> (counters, specials) of each record, and the steps."""
    folder = pathlib.Path(run) / "grads"
    folder.mkdir(parents=True)
    center = center or (lambda depth, stage, step: -18 + depth / 4)
    table = [(layer, out, into, kernel) for layer, out, into, kernel in layers(stages=stages, inner=lambda c: max(1, c // size))]
    recorded = list(range(every, steps + 1, every))
    tensors, written = [], {}
    for depth, (layer, out, into, kernel) in enumerate(table, 1):
        stage = int(layer[-1])
        for kind, shape in (("weight", [out, into, kernel, kernel]), ("bias", [out])):
            tensor = f"{layer}.{kind}"
            tensors.append({"name": tensor, "kind": kind, "depth": depth, "stage": stage, "layer": layer, "shape": shape})
            written[tensor] = [log_normal(math.prod(shape), center(depth, stage, step), 2.2, zeros) for step in recorded]
    meta = {"format": 1, "every": every, "accumulate": "step", "taken": "before clipping and multipliers",
            "steps_per_epoch": steps_per_epoch, "run": name, "intermediate_supervision": supervised,
            "bins": {"per_octave": 2, "lowest": -60, "highest": 20, "edges": EDGES},
            "specials": SPECIALS, "stats": STATS, "linear": linear, "tensors": tensors}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    for number, first in enumerate(range(0, len(recorded), per_part), 1):
        part = range(first, min(first + per_part, len(recorded)))
        arrays = {"step": ("q", [len(part)], [recorded[r] for r in part])}
        for tensor, records in written.items():
            arrays[f"{tensor}/counts"] = ("I", [len(part), 2 * BINS], [c for r in part for c in records[r][0]])
            arrays[f"{tensor}/special"] = ("I", [len(part), len(SPECIALS)], [c for r in part for c in records[r][1]])
            arrays[f"{tensor}/stats"] = ("d", [len(part), len(STATS)], [x for r in part for x in (r + 1.0, 2.5, 0.125, 1e-3)])
            if linear:
                columns = linear["bins"] + 2
                arrays[f"{tensor}/linear"] = ("I", [len(part), columns],
                                              [sum(records[r][0] + records[r][1]) * (c == columns // 2)
                                               for r in part for c in range(columns)])
        (folder / f"part-{number:06}.npz").write_bytes(npz(arrays))
    return written, recorded


def quantile(counts, specials, p):
    """|g| at rank p n of the n finite elements that are not zero: inside its bin on the log axis, outside the bins at their
    ends; None for n = 0."""
    small, large = specials[1] + specials[2], specials[3]
    rank, below = p * (sum(counts) + small + large), small
    if rank == 0:
        return None
    if rank <= below:
        return EDGES[0]
    for b in range(BINS):
        count = counts[BINS - 1 - b] + counts[BINS + b]
        if rank <= below + count:
            return EDGES[b] * (EDGES[b + 1] / EDGES[b]) ** ((rank - below) / count)
        below += count
    return EDGES[BINS]
