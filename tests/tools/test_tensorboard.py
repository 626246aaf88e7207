"""The event files of a run directory, read twice: by the few lines below, which know the format from its description alone,
and by TensorBoard's own reader where CPM_TEST_TENSORBOARD names a Python that can import tensorboard."""

import json
import math
import os
import pathlib
import struct
import subprocess
import unittest
import zipfile
import zlib

from event_files import Events, crc32c, double, doubles, float32, masked, records
from support import BATCH, JOINTS, STAGES, TINY, Case, command, main, network, raw_tensors, read_csv, write_safetensors

TENSORBOARD = os.environ.get("CPM_TEST_TENSORBOARD", "")
DATA = ("--data", "synthetic:12", "--val", "synthetic:3")
BINS = 160

# Prints what TensorBoard's reader makes of a folder: tag -> [[step, what], ...], before and after purging.
READER = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard import data_compat
from tensorboard.compat.proto import summary_pb2
everything = EventAccumulator(sys.argv[1], size_guidance={key: 0 for key in ("scalars", "histograms", "images", "tensors")})
everything.Reload()
tags = everything.Tags()
print(json.dumps({
    "scalars": {tag: [[e.step, e.value] for e in everything.Scalars(tag)] for tag in tags["scalars"]},
    "histograms": {tag: [[e.step, e.histogram_value.num, e.histogram_value.min, e.histogram_value.max,
                          e.histogram_value.bucket_limit, e.histogram_value.bucket] for e in everything.Histograms(tag)]
                   for tag in tags["histograms"]},
    "images": {tag: [[e.step, e.width, e.height, len(e.encoded_image_string)] for e in everything.Images(tag)]
               for tag in tags["images"]}}))
"""


def read_counts(run):
    """Of grads/: steps, and name of an array -> rows, by zipfile and struct."""
    arrays = {}
    for path in sorted((run / "grads").glob("part-*.npz")):
        with zipfile.ZipFile(path) as file:
            for name in file.namelist():
                data = file.read(name)
                start = 10 + struct.unpack_from("<H", data, 8)[0]
                header = data[10:start].decode()
                code = {"<i8": "q", "<u4": "I", "<u8": "Q", "<f8": "d"}[header.split("'")[3]]
                shape = [int(n) for n in header.split("(")[1].split(")")[0].replace(" ", "").split(",") if n]
                values = [entry[0] for entry in struct.iter_unpack("<" + code, data[start:])]
                columns = math.prod(shape[1:])
                rows = [values[i * columns:(i + 1) * columns] for i in range(shape[0])]
                arrays.setdefault(name[:-4], []).extend(rows)
    return [row[0] for row in arrays["step"]], arrays


class TensorBoard(Case):
    def train(self, name, *more, code=0):
        out = self.folder / name
        arguments = (*TINY, "--out", out, "--checkpoint-every", 2, *more)
        done = subprocess.run(command("cpm-train", *arguments), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return out

    def check_scalars(self, run, steps):
        """Every scalar equals the cell of metrics.csv in single precision, bit for bit."""
        events, (rows, columns) = Events(run), read_csv(run / "metrics.csv")
        tags = {"loss/total": "loss", "train/lr": "lr", "train/grad_norm": "grad_norm", "train/epoch": "epoch",
                "train/data_wait": "data_wait"}
        for stage in range(1, STAGES + 1):
            tags[f"loss/stage{stage}"] = f"loss_stage{stage}"
            tags[f"dead_plateau/stage{stage}"] = f"dead_stage{stage}"
        self.assertEqual(set(tags.values()) | {"step", "samples", "seconds"}, set(columns))
        chosen = [row for row in rows if row["step"] in steps]
        self.assertEqual([row["step"] for row in chosen], list(steps))
        for tag, column in tags.items():
            told = [(row["step"], float32(row[column])) for row in chosen if math.isfinite(row[column])]
            self.assertEqual(events.scalars.get(tag, []), told, tag)
        self.assertTrue(set(events.scalars) <= set(tags) | {tag for tag in events.scalars if tag.startswith(
            ("validation", "grad_"))} | {"train/images_per_second"}, events.scalars.keys())
        return events, chosen

    def check_rate(self, events, rows, before=(0, 0)):
        expected = []
        for row in rows:
            if row["seconds"] > before[1]:
                expected.append((row["step"], float32((row["samples"] - before[0]) / (row["seconds"] - before[1]))))
            before = row["samples"], row["seconds"]
        self.assertEqual(events.scalars["train/images_per_second"], expected)

    def test_scalars_and_pictures(self):
        run = self.train("run", *DATA, "--steps", 5, "--set", "train.val_every=2")
        events, rows = self.check_scalars(run, range(1, 6))
        self.assertEqual(len(events.files), 1)
        self.assertRegex(events.files[0].name, r"^events\.out\.tfevents\.[0-9]{10}\.0000$")
        self.assertEqual((events.starts, events.left_over), ([], [0]))
        self.check_rate(events, rows)
        found = {}
        for step in (2, 4, 5):
            folder = run / f"val/step-{step:08}"
            found[step] = json.loads((folder / "metrics.json").read_text(encoding="utf-8")), (folder / "overlay.png").read_bytes()
        self.assertEqual(events.scalars["validation/pck"], [(step, float32(found[step][0]["mean"])) for step in found])
        for joint in (name.replace(" ", "_") for name in JOINTS):
            told = [(step, float32(found[step][0]["per_joint"][joint])) for step in found
                    if found[step][0]["per_joint"][joint] is not None]
            self.assertEqual(events.scalars.get("validation_joint/" + joint, []), told)
        self.assertEqual([step for step, _ in events.images["validation/overlay"]], [2, 4, 5])
        for step, image in events.images["validation/overlay"]:
            data = image[4][0]
            self.assertTrue(data == found[step][1])
            width, height = struct.unpack(">II", data[16:24])
            self.assertEqual((image[1], image[2], image[3]), ([height], [width], [3]))
            self.check_png(data, width, height)

    def check_png(self, data, width, height):
        """Its chunks' checksums hold and its pixels unpack to the header's size."""
        at, packed = 8, b""
        while at < len(data):
            size = struct.unpack_from(">I", data, at)[0]
            self.assertEqual(zlib.crc32(data[at + 4:at + 8 + size]), struct.unpack_from(">I", data, at + 8 + size)[0])
            packed += data[at + 8:at + 8 + size] if data[at + 4:at + 8] == b"IDAT" else b""
            at += 12 + size
        self.assertEqual(len(zlib.decompress(packed)), height * (1 + 3 * width))

    def test_picture_records_have_checksums(self):
        """Those that Events leaves out for its slowness."""
        run = self.train("run", *DATA, "--steps", 1)
        data = Events(run).files[0].read_bytes()
        self.assertEqual(crc32c(b"123456789"), 0xe3069283)  # the check value of the polynomial
        messages, _ = records(data)
        largest = max(messages, key=len)
        self.assertGreater(len(largest), 20000)
        end = data.index(largest) + len(largest)
        self.assertEqual(struct.unpack_from("<I", data, end)[0], masked(largest))

    def test_histograms(self):
        """Counts are those of grads/, both signs together; the axis is log10 of the edges."""
        weights, raw = self.folder / "start.safetensors", self.folder / "raw.safetensors"
        write_safetensors(weights, network())
        write_safetensors(raw, raw_tensors())
        for name, more, steps in (("steps", ("--steps", 4, "--grad-hist", 2), [2, 4]),
                                  ("epochs", ("--epochs", 3, "--grad-hist", 1, "--set", "grads.accumulate=epoch"), None)):
            run = self.train(name, "--data", f"raw:{raw}", "--weights", weights, *more)
            recorded, arrays = read_counts(run)
            self.assertEqual(recorded, steps or recorded)
            events = Events(run)
            names = {array.rsplit("/", 1)[0] for array in arrays if "/" in array}
            self.assertEqual({tag[len("grad_log10/"):] for tag in events.histograms}, names)
            for tensor in names:
                with self.subTest(run=name, tensor=tensor):
                    self.check_histograms(events, tensor, recorded, arrays)

    def check_histograms(self, events, tensor, recorded, arrays):
        told = dict(events.histograms["grad_log10/" + tensor])
        for r, step in enumerate(recorded):
            counts = arrays[tensor + "/counts"][r]
            sizes = [counts[BINS - 1 - b] + counts[BINS + b] for b in range(BINS)]
            filled = [b for b in range(BINS) if sizes[b] > 0]
            edge = [math.log10((1.5 if b % 2 else 1.0) * 2.0 ** (-60 + b // 2)) for b in range(BINS + 1)]
            first, last = filled[0], filled[-1]
            h = told[step]
            self.assertEqual(doubles(h[7][0]), sizes[first:last + 1])
            for got, expected in zip(doubles(h[6][0]), edge[first + 1:last + 2], strict=True):
                self.assertAlmostEqual(got, expected, delta=1e-14)
            self.assertAlmostEqual(double(h[1][0]), edge[first], delta=1e-14)
            self.assertAlmostEqual(double(h[2][0]), edge[last + 1], delta=1e-14)
            self.assertEqual(double(h[3][0]), sum(sizes))
            middle = [(edge[b] + edge[b + 1]) / 2 for b in range(BINS)]
            for field, power in ((4, 1), (5, 2)):
                expected = math.fsum(size * x ** power for size, x in zip(sizes, middle))
                self.assertAlmostEqual(double(h[field][0]), expected, delta=1e-12 * sum(sizes) * 400)
        for kind, name in enumerate(("zero", "subnormal", "underflow", "overflow", "nan", "inf")):
            expected = [(step, float32(arrays[tensor + "/special"][r][kind])) for r, step in enumerate(recorded)
                        if arrays[tensor + "/special"][r][kind] > 0]
            self.assertEqual(events.scalars.get(f"grad_{name}/{tensor}", []), expected)

    def test_resumed(self):
        """Killed where the last checkpoint is older than what was told: a new file starts behind that checkpoint, so
        that every step is told once; a torn end of the first file is nobody's business."""
        run = self.train("run", *DATA, "--steps", 5, "--grad-hist", 1)
        first = Events(run).files[0]
        (run / "ckpt/step-00000005.ckpt").unlink()  # as if it was never reached
        with first.open("r+b") as file:
            file.truncate(first.stat().st_size - 7)
        (run / "ckpt/last").unlink()
        rows, _ = read_csv(run / "metrics.csv")
        self.train("run", "--resume", "--steps", 8)
        events, chosen = self.check_scalars(run, range(1, 9))
        self.assertEqual((len(events.files), events.starts), (2, [5]))
        self.assertEqual(events.files[0], first)
        self.assertEqual([left > 0 for left in events.left_over], [True, False])
        recorded, arrays = read_counts(run)
        self.assertEqual(recorded, list(range(1, 9)))
        self.check_histograms(events, "conv1_stage1.weight", recorded, arrays)
        rate = events.scalars["train/images_per_second"][4:]
        before = rows[3]["samples"], rows[3]["seconds"]
        self.assertEqual(rate[0], (5, float32(BATCH / (chosen[4]["seconds"] - before[1]))))
        # A finished run that is asked for no more steps tells nothing.
        self.train("run", "--resume")
        self.assertEqual(len(Events(run).files), 2)

    def test_how_often(self):
        run = self.train("run", "--data", "synthetic:12", "--steps", 7, "--set", "train.events_every=3")
        events, rows = self.check_scalars(run, (3, 6))
        self.check_rate(events, rows)
        # It may change on resume.
        self.train("run", "--resume", "--steps", 9, "--set", "train.events_every=1")
        self.check_scalars(run, (3, 6, 8, 9))

    def test_what_is_not_computed_is_left_out(self):
        run = self.train("run", "--data", "synthetic:12", "--steps", 2, "--set", "supervision.schedule=stagewise")
        rows, _ = read_csv(run / "metrics.csv")
        self.assertEqual([math.isnan(row["loss_stage2"]) for row in rows], [True, False])
        self.check_scalars(run, (1, 2))

    def test_nothing_of_this_machine_is_told(self):
        run = self.train("run", *DATA, "--steps", 2, "--grad-hist", 1)
        data = b"".join(path.read_bytes() for path in Events(run).files)
        for word in (str(self.folder), os.uname().nodename, os.environ.get("USER", "")):
            if len(word) > 3:
                self.assertNotIn(word.encode(), data)

    @unittest.skipUnless(TENSORBOARD, "CPM_TEST_TENSORBOARD does not name a Python that can import tensorboard")
    def test_by_its_own_reader(self):
        run = self.train("run", *DATA, "--steps", 4, "--grad-hist", 1, "--set", "train.val_every=2")
        (run / "ckpt/step-00000004.ckpt").unlink()
        (run / "ckpt/last").unlink()
        os.truncate(Events(run).files[0], Events(run).files[0].stat().st_size - 7)
        self.train("run", "--resume", "--steps", 6)
        own = Events(run)
        self.assertEqual(([left > 0 for left in own.left_over], own.starts), ([True, False], [3]))
        done = subprocess.run([TENSORBOARD, "-c", READER, str(run)], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual({tag: [tuple(entry) for entry in series] for tag, series in told["scalars"].items()}, own.scalars)
        self.assertEqual(set(told["histograms"]), set(own.histograms))
        for tag, series in told["histograms"].items():
            for (step, number, low, high, limits, counts), (own_step, h) in zip(series, own.histograms[tag], strict=True):
                self.assertEqual((step, number, low, high), (own_step, double(h[3][0]), double(h[1][0]), double(h[2][0])))
                self.assertEqual((limits, counts), (doubles(h[6][0]), doubles(h[7][0])))
        self.assertEqual({tag: [tuple(entry) for entry in series] for tag, series in told["images"].items()},
                         {tag: [(step, h[2][0], h[1][0], len(h[4][0])) for step, h in series]
                          for tag, series in own.images.items()})


if __name__ == "__main__":
    main()
