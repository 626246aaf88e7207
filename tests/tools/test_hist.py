"""cpm-hist on folders of histograms made here (grads_folder.py): numbers against numbers computed beside it, pages that
need nothing else, pictures that show something, every fault one line."""

import csv
import json
import math
import re
import struct
import sys
import unittest
import xml.etree.ElementTree as xml
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from grads_folder import BINS, EDGES, npz, quantile, write_grads  # noqa: E402
from support import Case, main, run, tree  # noqa: E402

PICTURES = ("map", "ridgelines", "grid")
QUANTILES = (("q05", 0.05), ("q25", 0.25), ("q50", 0.5), ("q75", 0.75), ("q95", 0.95))


def png_pixels(path):
    """Width, height and the rows' bytes (RGB), decoded here."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", path
    width, height, packed, at = 0, 0, b"", 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0], path
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", body[:10])
            assert (depth, color) == (8, 2), path
        if kind == b"IDAT":
            packed += body
        at += 12 + size
    raw = zlib.decompress(packed)
    assert len(raw) == height * (1 + 3 * width), path
    return width, height, raw


class Hist(Case):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.folder / "with", self.folder / "without"

    def compared(self, *more):
        return self.json_of(self.ok("cpm-hist", "compare", self.a, self.b, "--out", self.folder / "c.html", "--json", *more))

    def check_close(self, got, expected):
        if expected is None:
            self.assertIsNone(got)
        else:
            self.assertAlmostEqual(got / expected, 1, delta=1e-9)

    def check_page(self, page):
        """Self-contained, with every picture in three sizes."""
        text = page.read_text(encoding="utf-8")
        for word in ("http:", "https:", "//", "src=", "url(", "@import", "<script"):
            self.assertFalse(word in re.sub("base64,[^\"]*", "", text), word)
        self.assertEqual(set(re.findall(r'href="(.{0,5})', text)), {"data:"})
        for size in ("wide", "medium", "narrow"):
            self.assertEqual(text.count(f'<div class="{size}"><svg '), len(PICTURES))
        for svg in re.findall(r"<svg .*?</svg>", text, re.DOTALL):
            xml.fromstring(svg)
        return text

    def check_pictures(self, folder):
        for name in PICTURES:
            svg = xml.parse(folder / f"{name}.svg").getroot()
            self.assertEqual(svg.tag, "{http://www.w3.org/2000/svg}svg")
            text = (folder / f"{name}.svg").read_text(encoding="utf-8")
            self.assertFalse("var(" in text)
            self.assertIsNone(re.search(r"\b(nan|inf)\b", text))
            width, height, pixels = png_pixels(folder / f"{name}.png")
            self.assertEqual((width, height), (2 * math.ceil(float(svg.get("width"))), math.ceil(2 * float(svg.get("height")))))
            inked = sum(value < 250 for value in pixels[::97])
            self.assertGreater(inked, len(pixels[::97]) / 50, name)

    def test_show(self):
        written, steps = write_grads(self.a, zeros=0.25)
        value = self.json_of(self.ok("cpm-hist", "show", self.a, "--json"))
        page = self.a / "grads/report.html"
        self.assertEqual(value["out"], str(page))
        self.assertEqual([Path(name).name for name in value["files"]],
                         ["report.html", "map.svg", "map.png", "ridgelines.svg", "ridgelines.png", "grid.svg", "grid.png",
                          "quantiles.csv", "grid.csv"])
        self.assertEqual(value["left_out"], [])
        [shown] = value["runs"]
        self.assertEqual((shown["run"], shown["intermediate_supervision"], shown["steps"]), ("run", True, steps))
        self.assertEqual([tensor["name"] for tensor in shown["tensors"]], [name for name in written if "weight" in name])
        self.assertEqual([tensor["depth"] for tensor in shown["tensors"]], list(range(1, 23)))
        for tensor in shown["tensors"]:
            for r, (counts, specials) in enumerate(written[tensor["name"]]):
                for key, p in QUANTILES:
                    self.check_close(tensor[key][r], quantile(counts, specials, p))
                self.assertAlmostEqual(tensor["zero"][r], specials[0] / (sum(counts) + sum(specials)), delta=1e-12)
                self.assertEqual((tensor["l2"][r], tensor["max"][r], tensor["mean"][r], tensor["update_ratio"][r],
                                  tensor["non_finite"][r]), (r + 1, 2.5, 0.125, 1e-3, 0))
        self.assertEqual(value["grid"], {"rows": ["epoch 1", "epoch 2", "epoch 3"], "tensors": [
            f"{layer}.weight" for layer in ("conv1_stage1", "conv3_stage1", "conv7_stage1", "Mconv1_stage2", "Mconv3_stage2",
                                            "Mconv5_stage2", "Mconv1_stage3", "Mconv3_stage3", "Mconv5_stage3")]})
        text = self.check_page(page)
        self.assertIn("<h1>Gradients of run</h1>", text)
        self.check_pictures(page.with_suffix(""))

    def test_quantiles_csv(self):
        written, steps = write_grads(self.a, steps=20)
        self.ok("cpm-hist", "show", self.a, "--kind", "bias")
        with open(self.a / "grads/report/quantiles.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 22 * len(steps))
        for row in rows:
            self.assertEqual((row["run"], row["kind"]), ("a", "bias"))
            counts, specials = written[row["tensor"]][steps.index(int(row["step"]))]
            for key, p in QUANTILES:
                expected = quantile(counts, specials, p)
                self.assertEqual(row[key], "") if expected is None else self.assertAlmostEqual(
                    float(row[key]) / expected, 1, delta=1e-8)

    def grid(self):
        with open(self.folder / "c/grid.csv", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def test_grid(self):
        """Sums over an epoch's records, spread over the bins of the signed axis."""
        written, steps = write_grads(self.a)
        write_grads(self.b, supervised=False, center=lambda depth, stage, step: -30 + depth)
        self.compared("--range", 0.001, "--epochs", "2")
        rows = [row for row in self.grid() if row["tensor"] == "Mconv3_stage2.weight" and row["run"] == "a"]
        self.assertEqual({row["rows"] for row in rows}, {"21-40"})
        records = [written["Mconv3_stage2.weight"][r] for r, step in enumerate(steps) if 21 <= step <= 40]
        self.assertEqual(len(records), 4)
        elements = sum(sum(counts) + sum(specials) for counts, specials in records)
        spans = [(EDGES[b], EDGES[b + 1], sum(counts[BINS + b] for counts, _ in records)) for b in range(BINS)]
        spans += [(-EDGES[b + 1], -EDGES[b], sum(counts[BINS - 1 - b] for counts, _ in records)) for b in range(BINS)]
        spans.append((-1e-18, 1e-18, sum(sum(specials) for _, specials in records)))
        for row in rows:
            low, high = float(row["low"]), float(row["high"])
            expected = sum(count * max(0, min(high, to) - max(low, at)) / (to - at) for at, to, count in spans) / elements
            self.assertAlmostEqual(float(row["share"]), expected, delta=1e-7)

    def test_recorded_linear_bins(self):
        for folder in (self.a, self.b):
            write_grads(folder, linear={"bins": 9, "range": 0.25}, steps=30)
        value = self.compared()
        self.assertEqual(value["axes"]["signed"], [-0.25, 0.25])
        rows = self.grid()
        self.assertEqual(len(rows), 2 * 3 * 9 * 9)
        middle = [float(row["share"]) for row in rows if abs(float(row["low"]) + float(row["high"])) < 1e-12]
        self.assertEqual(len(middle), 2 * 3 * 9)
        self.assertTrue(all(0.5 < share <= 1 for share in middle))
        self.assertEqual(self.compared("--range", 0.1)["axes"]["signed"], [-0.1, 0.1])

    def test_compare(self):
        """Axes hold the data of both; the order of the runs swaps them and nothing else."""
        write_grads(self.a, name="one", steps=60)
        write_grads(self.b, name="two", steps=45, supervised=False, center=lambda depth, stage, step: -40 + depth)
        value = self.compared()
        self.assertEqual([entry["label"] for entry in value["runs"]],
                         ["with intermediate supervision", "without intermediate supervision"])
        (low, high), medians = value["axes"]["magnitude"], value["axes"]["median"]
        for entry in value["runs"]:
            for tensor in entry["tensors"]:
                for q05, q50, q95 in zip(tensor["q05"], tensor["q50"], tensor["q95"]):
                    self.assertLessEqual(low, math.log10(q05))
                    self.assertLessEqual(math.log10(q95), high)
                    self.assertTrue(medians[0] <= math.log10(q50) <= medians[1])
        self.assertIn("<h1>Gradients with and without intermediate supervision</h1>", self.check_page(self.folder / "c.html"))
        self.check_pictures(self.folder / "c")
        swapped = self.json_of(self.ok("cpm-hist", "compare", self.b, self.a, "--out", self.folder / "s.html", "--json"))
        self.assertEqual(swapped["axes"], value["axes"])
        self.assertEqual(swapped["runs"], value["runs"][::-1])
        self.assertEqual(json.loads(self.ok("cpm-hist", "compare", self.a, self.b, "--json").out)["out"],
                         str(self.a / "grads/compare-without.html"))

    def test_twice_the_same(self):
        for folder in (self.a, self.b):
            write_grads(folder, steps=30)
        found = []
        for name in ("first", "second"):
            self.ok("cpm-hist", "compare", self.a, self.b, "--out", self.folder / name / "c.html")
            found.append(tree(self.folder / name))
        self.assertEqual(len(found[0]), 10)
        self.assertEqual(found[0], found[1])

    def test_other_networks(self):
        write_grads(self.a, stages=3, steps=20)
        write_grads(self.b, stages=2, steps=20)
        value = self.compared()
        self.assertEqual(len(value["runs"][0]["tensors"]), 16)
        self.assertEqual(value["left_out"], [f"{layer}_stage3.weight (only in {self.a})"
                                             for layer in ("conv1", "Mconv1", "Mconv2", "Mconv3", "Mconv4", "Mconv5")])
        self.assertIn("6 tensors are left out", (self.folder / "c.html").read_text(encoding="utf-8"))
        told = self.ok("cpm-hist", "compare", self.a, self.b)
        self.assertEqual(told.out.count("left out: "), 6)
        self.error(run("cpm-hist", "compare", self.a, self.b, "--tensors", "*_stage3*"), 65, "no such tensor", str(self.b))

    def test_filter_and_short_runs(self):
        write_grads(self.a, steps=5, every=5)  # one record
        value = self.json_of(self.ok("cpm-hist", "show", self.a, "--tensors", "Mconv*_stage2", "--json"))
        self.assertEqual([tensor["layer"] for tensor in value["runs"][0]["tensors"]], [f"Mconv{i}_stage2" for i in range(1, 6)])
        self.assertEqual(value["grid"]["rows"], ["steps 5–5"])
        self.check_pictures(self.a / "grads/report")
        one = self.json_of(self.ok("cpm-hist", "show", self.a, "--tensors", "conv1_stage1.bias", "--kind", "bias", "--json"))
        self.assertEqual(len(one["runs"][0]["tensors"]), 1)

    def test_nothing_but_zeros(self):
        write_grads(self.a, zeros=1.0, steps=10)
        value = self.json_of(self.ok("cpm-hist", "show", self.a, "--json"))
        self.assertEqual(value["runs"][0]["tensors"][0]["q50"], [None, None])
        self.assertIn("no gradient at all in conv1_stage1.weight", (self.a / "grads/report.html").read_text(encoding="utf-8"))

    def test_faults(self):
        write_grads(self.a, steps=20)
        write_grads(self.b, steps=20)
        empty = self.folder / "empty"
        empty.mkdir()
        before = tree(self.folder)
        self.error(run("cpm-hist", "show", self.folder / "none"), 65, "none", "there is no such run")
        self.error(run("cpm-hist", "show", empty), 65, "no histograms", "--grad-hist")
        self.error(run("cpm-hist", "show", self.a, "--kind", "activation"), 65, "no such tensor", "activation")
        self.error(run("cpm-hist", "show", self.a, "--tensors", "Nconv*"), 65, "no such tensor", "Nconv*")
        self.error(run("cpm-hist", "show", self.a, "--epochs", "1,9"), 65, "epoch 9", "epochs 1 to 1")
        for words, parts in (((), ("command is missing",)), (("shwo", self.a), ("unknown command", "did you mean show?")),
                             (("show",), ("wrong number",)), (("compare", self.a), ("wrong number", "RUN_B")),
                             (("show", self.a, self.b), ("wrong number",)),
                             (("show", self.a, "--kind", "wieght"), ("--kind", "weight")),
                             (("show", self.a, "--epochs", "1,x"), ("--epochs",)),
                             (("show", self.a, "--epochs", "0"), ("--epochs",)),
                             (("show", self.a, "--range", "-1"), ("--range", "above 0")),
                             (("show", self.a, "--out", "page.png"), ("--out", "FILE.html")),
                             (("show", self.a, "--tensor", "x"), ("did you mean --tensors?",))):
            self.error(run("cpm-hist", *words), 64, *parts)
        self.assertEqual(tree(self.folder), before)
        (self.folder / "file").write_text("", encoding="utf-8")
        self.error(run("cpm-hist", "show", self.a, "--out", self.folder / "file/x.html"), 73, "cannot make")

    def test_damaged_files(self):
        write_grads(self.a, steps=20)
        grads = self.a / "grads"
        meta, part = (grads / "meta.json").read_text(encoding="utf-8"), (grads / "part-000001.npz").read_bytes()

        def refuse(*parts):
            self.error(run("cpm-hist", "show", self.a), 65, *parts)
            (grads / "meta.json").write_text(meta, encoding="utf-8")
            (grads / "part-000001.npz").write_bytes(part)

        def change(**values):
            (grads / "meta.json").write_text(json.dumps({**json.loads(meta), **values}), encoding="utf-8")

        for text, word in (("{", "is no JSON"), ("[]", "no JSON object"), ("{}", "lacks the key format")):
            (grads / "meta.json").write_text(text, encoding="utf-8")
            refuse("meta.json", word)
        for values, words in (({"format": 2}, ("unknown format", "expected: 1", "got: 2")),
                              ({"bins": {"edges": [1, 2]}}, ("other bins",)),
                              ({"specials": ["zero"]}, ("specials",)), ({"steps_per_epoch": 0}, ("steps_per_epoch",)),
                              ({"linear": {"bins": -1, "range": 1}}, ("linear",)), ({"tensors": []}, ("no tensors",)),
                              ({"run": 5}, ("wrong type or value of run",)), ({"tensors": [{"name": "x"}]}, ("lacks the key layer",))):
            change(**values)
            refuse("meta.json", *words)
        for size in (0, 10, len(part) // 2, len(part) - 1):
            (grads / "part-000001.npz").write_bytes(part[:size])
            refuse("part-000001.npz")
        spoiled = bytearray(part)
        spoiled[len(part) // 3] ^= 0x55
        (grads / "part-000001.npz").write_bytes(bytes(spoiled))
        refuse("part-000001.npz")
        for steps, word in (([5, 5], "do not ascend"), ([0, 5], "do not ascend"), ([5, 10], "conv1_stage1.weight/counts")):
            (grads / "part-000001.npz").write_bytes(npz({"step": ("q", [2], steps)}))
            refuse("part-000001.npz", word)
        name = "conv1_stage1.weight"
        for counts, word in ((("I", [2, 2 * BINS], [0] * 4 * BINS), "do not sum"), (("I", [1, 320], [0] * 320), "wrong shape"),
                             (("d", [2, 320], [0] * 640), name)):
            (grads / "part-000001.npz").write_bytes(npz({
                "step": ("q", [2], [5, 10]), f"{name}/counts": counts, f"{name}/special": ("I", [2, 6], [0] * 12),
                f"{name}/stats": ("d", [2, 4], [0] * 8)}))
            refuse("part-000001.npz", word)
        (grads / "part-000001.npz").unlink()
        refuse("no record")


if __name__ == "__main__":
    main()
