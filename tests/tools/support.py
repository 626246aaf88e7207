"""What the tests of the programs share: running them, reading their error lines, and files of the formats they take,
made here byte by byte so that nothing of the project checks itself. CPM_BIN is the folder of programs, CPM_TEST_SLOW
multiplies every time limit (sanitiser builds, slow machines)."""

import array
import hashlib
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

SOURCE = pathlib.Path(os.environ.get("CPM_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("CPM_BIN", SOURCE / "build/release/bin"))
SLOW = float(os.environ.get("CPM_TEST_SLOW", "1"))
LIMIT = 240 * SLOW

COMPUTING = ("cpm-train", "cpm-eval", "cpm-infer", "cpm-grad", "cpm-data", "cpm-doctor", "bench_cpm", "bench_conv")  # have --threads
PROGRAMS = (*COMPUTING, "cpm-compare", "cpm-hist")
JOINTS = ("right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle", "right wrist", "right elbow",
          "right shoulder", "left shoulder", "left elbow", "left wrist", "neck", "head top")
LEFT_SHOULDER, RIGHT_HIP = 9, 2

# A network and a training so small that a step takes milliseconds.
STAGES, INPUT, BATCH = 2, 64, 4
TINY = ("--set", f"model.stages={STAGES}", "--set", "model.width=0.0625", "--set", f"data.input={INPUT}",
        "--batch", str(BATCH))
# Programs never say any of this to a user, whatever goes wrong.
CRASH = ("terminate called", "Assertion", "Sanitizer", "runtime error:", "core dumped", "what():", "Traceback")


def command(program, *arguments):
    return [str(BIN / program), *map(str, arguments)]


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit code {self.code}\nstdout: {self.out[-2000:]}\nstderr: {self.err[-2000:]}"


def run(program, *arguments, cwd=None, stdout=subprocess.PIPE, before=None, **environment):
    """Runs a program to its end, with the environment variables given; its output must be UTF-8."""
    done = subprocess.run(command(program, *arguments), cwd=cwd, stdout=stdout, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=LIMIT, preexec_fn=before, check=False,
                          env={**os.environ, **environment})
    return Result(done.returncode, (done.stdout or b"").decode("utf-8"), done.stderr.decode("utf-8"))


class ErrorLine:
    """error: WHERE: WHAT | expected: ... | got: ... | hint: ..."""

    def __init__(self, line):
        self.line = line
        head, *rest = line[len("error: "):].split(" | ")
        self.head = head
        self.fields = dict(part.split(": ", 1) for part in rest if ": " in part)
        self.names = [part.split(": ", 1)[0] for part in rest]


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cpm-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def ok(self, program, *arguments, **options):
        result = run(program, *arguments, **options)
        self.assertEqual(result.code, 0, result)
        self.no_crash(result)
        return result

    def no_crash(self, result):
        for word in CRASH:
            self.assertNotIn(word, result.out + result.err)

    def error(self, result, code, *parts):
        """The program ended with that code and one error line that holds these parts; returns the line."""
        self.assertEqual(result.code, code, result)
        self.no_crash(result)
        lines = [line for line in result.err.split("\n") if line]
        errors = [line for line in lines if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, result)
        self.assertEqual([line for line in lines if not line.startswith(("error: ", "warning: "))], [], result)
        self.assertNotIn("error: ", result.out)
        line = ErrorLine(errors[0])
        self.assertTrue(set(line.names) <= {"expected", "got", "hint"}, line.line)
        self.assertTrue(line.head.strip(), line.line)
        for part in parts:
            self.assertIn(part, line.line)
        return line

    def json_of(self, result):
        """stdout is one JSON object on one line and nothing else."""
        self.assertEqual(result.code, 0, result)
        self.assertEqual(result.out.count("\n"), 1, result)
        value = json.loads(result.out)
        self.assertIsInstance(value, dict)
        return value


def tree(folder):
    """What a folder holds: path -> hash of a file, target of a link, or None for a folder."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = "-> " + os.readlink(path)
        else:
            found[name] = None if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def read_csv(path):
    """Rows of numbers as dictionaries, and the names of the columns."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").split("\n")
    columns = lines[0].split(",")
    return [dict(zip(columns, map(float, line.split(",")))) for line in lines[1:] if line], columns


# safetensors -------------------------------------------------------------------------------------------------------

CODES = {"F32": "f", "F64": "d", "U8": "B"}


class Tensor:
    def __init__(self, shape, values, dtype="F32"):
        self.shape, self.dtype = list(shape), dtype
        self.values = values if isinstance(values, array.array) else array.array(CODES[dtype], values)

    def __eq__(self, other):
        """Bit for bit."""
        return (self.shape, self.dtype, self.values.tobytes()) == (other.shape, other.dtype, other.values.tobytes())

    def largest(self):
        return max(map(abs, self.values), default=0.0)

    def distance(self, other):
        """The largest difference, in units of the largest value."""
        return max(abs(a - b) for a, b in zip(self.values, other.values)) / max(self.largest(), 1e-30)


def read_safetensors(path):
    """(name -> Tensor, metadata)."""
    data = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = array.array(CODES[entry["dtype"]])
        values.frombytes(data[8 + size + begin:8 + size + end])
        assert len(values) == math.prod(entry["shape"]), name
        tensors[name] = Tensor(entry["shape"], values, entry["dtype"])
    return tensors, metadata


def pack_safetensors(header, data=b"", size=None):
    """The bytes of a file with this header (text or an object), right or wrong."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def write_safetensors(path, tensors, metadata=None):
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, tensor in tensors.items():
        piece = tensor.values.tobytes()
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    pathlib.Path(path).write_bytes(pack_safetensors(header, data))


def numbers(seed, count, low=0.0, high=1.0):
    """`count` numbers that a generator of 48 bits draws: the same on every machine."""
    state, out = seed * 2654435761 + 12345, []
    for _ in range(count):
        state = (state * 25214903917 + 11) & ((1 << 48) - 1)
        out.append(low + (high - low) * (state >> 24) / (1 << 24))
    return out


def layers(stages=STAGES, joints=14, inner=lambda channels: max(1, math.floor(channels * 0.0625 + 0.5))):
    """(name, out, in, kernel) of every convolution, as the reference network lists them."""
    table, maps = [], joints + 1
    for stage in range(1, stages + 1):
        if stage <= 2:
            before = 3
            for i in (1, 2, 3):
                table.append((f"conv{i}_stage{stage}", inner(128), before, 9))
                before = inner(128)
        if stage == 1:
            table += [("conv4_stage1", inner(32), inner(128), 5), ("conv5_stage1", inner(512), inner(32), 9),
                      ("conv6_stage1", inner(512), inner(512), 1), ("conv7_stage1", maps, inner(512), 1)]
            continue
        table.append((f"conv{4 if stage == 2 else 1}_stage{stage}", inner(32), inner(128), 5))
        before = inner(32) + maps + 1
        for i, kernel in ((1, 11), (2, 11), (3, 11), (4, 1)):
            table.append((f"Mconv{i}_stage{stage}", inner(128), before, kernel))
            before = inner(128)
        table.append((f"Mconv5_stage{stage}", maps, inner(128), 1))
    return table


def network(seed=1, **options):
    """Weights of a small network, drawn evenly within what keeps its maps at the size of its input."""
    tensors = {}
    for i, (name, out, into, kernel) in enumerate(layers(**options)):
        bound = math.sqrt(6 / (into * kernel * kernel))
        tensors[f"{name}.weight"] = Tensor([out, into, kernel, kernel],
                                           numbers(seed * 1000 + i, out * into * kernel * kernel, -bound, bound))
        tensors[f"{name}.bias"] = Tensor([out], numbers(seed * 1000 + 500 + i, out, -0.05, 0.05))
    return tensors


def raw_tensors(n=2, joints=14, height=32, width=40, seed=7):
    """image, center and target of a batch of noise."""
    maps = n * (joints + 1) * (height // 8) * (width // 8)
    return {"image": Tensor([n, 3, height, width], numbers(seed, n * 3 * height * width, -0.5, 0.5)),
            "center": Tensor([n, 1, height, width], numbers(seed + 1, n * height * width)),
            "target": Tensor([n, joints + 1, height // 8, width // 8], numbers(seed + 2, maps))}


# Images and MAT-files ----------------------------------------------------------------------------------------------


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_png(width, height, pixels):
    """RGB, 8 bits; `pixels` are the rows' bytes."""
    rows = b"".join(b"\0" + pixels[y * width * 3:(y + 1) * width * 3] for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b""))


def png_size(path):
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and data[-8:-4] == b"IEND", path
    return struct.unpack(">II", data[16:24])


def picture(width, height, joints=(), seed=3):
    """The bytes of a PNG: a grey ramp with a coloured disc at each joint (x, y)."""
    pixels = bytearray()
    for y in range(height):
        for x in range(width):
            pixels += bytes(((x * 5 + seed * 40) % 256, (y * 3 + 60) % 256, (x + y) % 256))
    for j, (cx, cy) in enumerate(joints):
        for y in range(max(0, int(cy) - 3), min(height, int(cy) + 4)):
            for x in range(max(0, int(cx) - 3), min(width, int(cx) + 4)):
                pixels[(y * width + x) * 3:(y * width + x) * 3 + 3] = bytes((17 * j % 256, 255 - 17 * j, 90))
    return pack_png(width, height, bytes(pixels))


def mat_element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def pack_mat(name, dims, values, compressed=False):
    """A MAT-file of version 5 with one array of doubles; `values` run along the first axis first."""
    matrix = mat_element(14, mat_element(6, struct.pack("<II", 6, 0)) + mat_element(5, struct.pack(f"<{len(dims)}i", *dims)) +
                         mat_element(1, name.encode()) + mat_element(9, struct.pack(f"<{len(values)}d", *values)))
    if compressed:
        stream = zlib.compress(matrix)
        matrix = struct.pack("<II", 15, len(stream)) + stream
    return b"MATLAB 5.0 MAT-file".ljust(116) + b"\0" * 8 + struct.pack("<H", 0x0100) + b"IM" + matrix


def figure(cx, cy, size):
    """14 joints (x, y) of a standing person, 0-based, about `size` pixels high."""
    shape = ((-.12, .5), (-.1, .25), (-.08, 0), (.08, 0), (.1, .25), (.12, .5), (-.25, .05), (-.2, -.1), (-.12, -.28),
             (.12, -.28), (.2, -.1), (.25, .05), (0, -.32), (0, -.5))
    return [(cx + x * size, cy + y * size) for x, y in shape]


def write_lsp(folder, people=3, width=90, height=110, compressed=False):
    """joints.mat and images/im0001.png ... of drawn people; returns their joints, 0-based."""
    folder = pathlib.Path(folder)
    (folder / "images").mkdir(parents=True)
    truth, values = [], []
    for i in range(people):
        joints = [(round(x, 2), round(y, 2)) for x, y in figure(42 + 4 * i, 55 - 2 * i, 70 + 8 * i)]
        truth.append(joints)
        (folder / "images" / f"im{i + 1:04}.png").write_bytes(picture(width, height, joints, seed=i))
        for j, (x, y) in enumerate(joints):
            values += [x + 1, y + 1, j % 2]
    (folder / "joints.mat").write_bytes(pack_mat("joints", [3, 14, people], values, compressed))
    return truth


def need_numpy():
    """Goes on under a Python that has numpy: Debian's package belongs to /usr/bin/python3, which need not be the one that
    runs the tests. Where none has it the program is skipped."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python) and subprocess.run([python, "-c", "import numpy"], stderr=subprocess.DEVNULL,
                                                     check=False).returncode == 0:
            if python != sys.executable:
                os.execv(python, [python, *sys.argv])
            return
    print("SKIPPED: numpy is missing (apt package python3-numpy)")
    sys.exit(77)


def main():
    """unittest.main() whose exit code says 77 where nothing failed and something was skipped, with the reasons."""
    program = unittest.main(module="__main__", exit=False)
    for _, reason in program.result.skipped:
        print(f"SKIPPED: {reason}")
    sys.exit(1 if not program.result.wasSuccessful() else 77 if program.result.skipped else 0)
