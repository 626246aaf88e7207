"""cpm-infer, cpm-eval, cpm-grad and bench_cpm on images and tensors made here: what they write, with which names and
shapes, and numbers that are found again by other means."""

import json
import math
import re
import shutil
import subprocess

from support import (JOINTS, LEFT_SHOULDER, LIMIT, RIGHT_HIP, STAGES, Case, Tensor, command, layers, main, network, pack_png,
                     picture, png_size, raw_tensors, read_safetensors, run, tree, write_lsp, write_safetensors)

INPUT = 64
MAPS, CELLS = len(JOINTS) + 1, INPUT // 8


class Infer(Case):
    def setUp(self):
        super().setUp()
        self.weights = self.folder / "weights.safetensors"
        write_safetensors(self.weights, network(), {"pooling": "torch", "input": str(INPUT)})
        self.raw = self.folder / "raw.safetensors"
        write_safetensors(self.raw, raw_tensors())

    def infer(self, *arguments):
        return self.ok("cpm-infer", "--weights", self.weights, *arguments)

    def image(self, name, width=70, height=90, **options):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(width, height, **options))
        return path

    def maps(self, *arguments, out="maps"):
        """The heat maps that --raw-input gives."""
        self.infer("--raw-input", self.raw, "--out", self.folder / out, *arguments)
        self.assertEqual([path.name for path in (self.folder / out).iterdir()], ["heatmaps.safetensors"])
        return read_safetensors(self.folder / out / "heatmaps.safetensors")[0]

    def test_pictures(self):
        """Names with spaces, signs and letters of any script; the same stem twice."""
        images = [self.image("a photo.png"), self.image("x/a photo.png", seed=4), self.image("x/ünï;cödé 'q'.png", 40, 30),
                  self.image("y/a photo.png", 50, 60)]
        before = {path: path.read_bytes() for path in images}
        out = self.folder / "new folder" / "out"
        summary = self.json_of(self.infer("--out", out, "--heatmaps", "--json", *images))
        self.assertEqual({path.name: png_size(path) for path in out.glob("*.png")},
                         {"a photo.png": (70, 90), "a photo-2.png": (70, 90), "ünï;cödé 'q'.png": (40, 30),
                          "a photo-3.png": (50, 60)})
        people = json.loads((out / "keypoints.json").read_text(encoding="utf-8"))
        self.assertEqual([person["image"] for person in people], [str(path) for path in images])
        for person in people:
            self.assertEqual(len(person["keypoints"]), len(JOINTS))
            for x, y, score in person["keypoints"]:
                self.assertTrue(all(map(math.isfinite, (x, y, score))))
        self.assertEqual(summary, {"out": str(out), "people": people})
        maps, _ = read_safetensors(out / "heatmaps.safetensors")
        self.assertEqual({name: (tensor.dtype, tensor.shape) for name, tensor in maps.items()},
                         {f"stage{t}": ("F32", [4, MAPS, CELLS, CELLS]) for t in range(1, STAGES + 1)})
        self.assertEqual({path: path.read_bytes() for path in images}, before)

    def test_finds_a_bright_spot(self):
        """A network whose every convolution hands on its first channel answers with the image's brightness: all joints
        lie on the bright spot, wherever the crop is and however it is scaled, to a cell's half (8 i is the middle of what
        cell i sees through three 3 x 3 pools) and what two cells that see it alike leave open."""
        weights = {name: Tensor(tensor.shape, [0] * len(tensor.values)) for name, tensor in network().items()}
        for name, out, into, kernel in layers():
            maps = range(out) if name in ("conv7_stage1", "Mconv5_stage2") else [0]
            for channel in maps:
                weights[name + ".weight"].values[channel * into * kernel * kernel + kernel * kernel // 2] = 1
        write_safetensors(self.weights, weights, {"input": "128"})
        side, spot = 160, (97, 61)
        light = [[round(255 * math.exp(-math.dist((x, y), spot) ** 2 / 18)) for x in range(side)] for y in range(side)]
        image = self.folder / "spot.png"
        image.write_bytes(pack_png(side, side, bytes(v for row in light for v in row for _ in "rgb")))
        for center, scale in (("80,80", 0.8), ("110,30.5", 0.6), ("60,100", 1.1)):
            self.infer("--out", self.folder / "out", "--center", center, "--scale", scale, image)
            cell = 8 / (41 / 35 * 128 / 368 / scale)  # in pixels of the image
            for x, y, score in json.loads((self.folder / "out/keypoints.json").read_text(encoding="utf-8"))[0]["keypoints"]:
                self.assertLess(max(abs(x - spot[0]), abs(y - spot[1])), 0.85 * cell, (center, scale, x, y))
                self.assertTrue(0.1 < score < 0.6, score)  # white is 127 / 256, enlarging adds a little

    def test_center_and_scale(self):
        image = self.image("p.png", 121, 100)
        points = {}
        for name, more in {"default": (), "said": ("--center", "60,49.5", "--scale", "0.5"),
                           "left": ("--center", "20,49.5"), "near": ("--scale", "0.25")}.items():
            self.infer("--out", self.folder / name, *more, image)
            points[name] = (self.folder / name / "keypoints.json").read_text(encoding="utf-8")
        self.assertEqual(points["default"], points["said"])
        self.assertEqual(len(set(points.values())), 3)

    def test_images_are_never_overwritten(self):
        """--out may be the images' own folder."""
        first, second = self.image("in/a.png"), self.image("in/b.png", seed=9)
        before = first.read_bytes(), second.read_bytes()
        self.infer("--out", self.folder / "in", first, second)
        self.assertEqual((first.read_bytes(), second.read_bytes()), before)
        self.assertEqual({path.name for path in (self.folder / "in").iterdir()},
                         {"a.png", "b.png", "a-2.png", "b-2.png", "keypoints.json"})

    def test_raw_input_is_the_same_for_any_threads(self):
        maps = self.maps("--threads", 2)
        self.assertEqual({name: tensor.shape for name, tensor in maps.items()},
                         {f"stage{t}": [2, MAPS, 4, 5] for t in range(1, STAGES + 1)})
        for threads in (1, 3, 5):
            self.assertEqual(self.maps("--threads", threads, out=f"t{threads}"), maps)

    def test_double_precision_is_close(self):
        single, double = self.maps(), self.maps("--precision", "fp64", out="double")
        for name, tensor in double.items():
            self.assertEqual(tensor.dtype, "F32")
            self.assertLess(single[name].distance(tensor), 2e-6)
            self.assertFalse(single[name] == tensor)

    def test_nothing_is_left_after_an_error(self):
        before = tree(self.folder)
        text = self.folder / "text.png"
        text.write_text("no image", encoding="utf-8")
        missing = self.folder / "missing.png"
        good = self.image("good.png")
        before = tree(self.folder)
        out = ("--out", self.folder / "deep/out")
        weights = ("--weights", self.weights)
        for code, parts, arguments in (
                (65, (str(text), "expected: "), (*weights, *out, text)),
                (65, (str(missing), "hint: "), (*weights, *out, missing)),
                (64, ("--center", "X,Y", "got: 3"), (*weights, *out, "--center", "3", good)),
                (64, ("--center", "got: 3,nan"), (*weights, *out, "--center", "3,nan", good)),
                (64, ("--scale", "got: 0"), (*weights, *out, "--scale", "0", good)),
                (64, ("--precision", "got: fp16"), (*weights, *out, "--precision", "fp16", good)),
                (64, ("IMAGE", "got: 0 images"), (*weights, *out)),
                (64, ("IMAGE",), (*weights, *out, "--raw-input", self.raw, good)),
                (64, ("--out",), (*weights, good)),
                (64, ("--weights",), (*out, good))):
            with self.subTest(parts):
                self.error(run("cpm-infer", *arguments), code, *parts)
                self.assertEqual(tree(self.folder), before)


class Eval(Case):
    def setUp(self):
        super().setUp()
        self.truth = write_lsp(self.folder)
        self.spec = f"lsp:{self.folder / 'joints.mat'},{self.folder / 'images'}"
        self.weights = self.folder / "weights.safetensors"
        write_safetensors(self.weights, network(), {"pooling": "torch", "input": str(INPUT)})

    def eval(self, *more, spec=None):
        return self.json_of(self.ok("cpm-eval", "--weights", self.weights, "--data", spec or self.spec, "--json", *more))

    def predictions(self, folder):
        return json.loads((folder / "predictions.json").read_text(encoding="utf-8"))

    def check_score(self, summary, people, truth, threshold):
        """PCK found again from predictions.json. The limit of a joint that lies on it within a rounding is skipped."""
        right = [0] * len(JOINTS)
        for person, joints in zip(people, truth):
            limit = threshold * math.dist(joints[LEFT_SHOULDER], joints[RIGHT_HIP])
            for j, (x, y, _) in enumerate(person["keypoints"]):
                distance = math.dist((x, y), joints[j])
                self.assertGreater(abs(distance - limit), 0.002, "choose another network: a joint lies on the limit")
                right[j] += distance <= limit
        fractions = [count / len(truth) for count in right]
        self.assertEqual(list(summary["per_joint"].values()), fractions)
        self.assertEqual([name.replace("_", " ") for name in summary["per_joint"]], list(JOINTS))
        self.assertEqual(summary["mean"], sum(fractions) / len(JOINTS))
        self.assertEqual((summary["count"], summary["threshold"]), (len(JOINTS) * len(truth), threshold))

    def test_score(self):
        hits = set()
        for threshold in (0.2, 1, 2):
            out = self.folder / f"out{threshold}"
            summary = self.eval("--out", out, "--threshold", threshold)
            self.assertEqual(set(summary), {"metric", "mean", "per_joint", "count", "threshold"})
            self.assertEqual(summary["metric"], "pck")
            people = self.predictions(out)
            self.assertEqual([person["image"] for person in people], ["im0001.png", "im0002.png", "im0003.png"])
            self.assertEqual({path.name for path in out.iterdir()}, {"predictions.json", "overlay.png"})
            self.check_score(summary, people, self.truth, threshold)
            hits.add(summary["mean"])
        self.assertEqual(len(hits), 3)  # the thresholds told the predictions apart
        self.assertEqual(self.eval()["threshold"], 0.2)

    def test_a_part_and_order(self):
        """Persons come in the data's order, in a pass of any size; a range counts from 1 and includes both ends."""
        whole, part = self.folder / "whole", self.folder / "part"
        self.eval("--out", whole)
        self.check_score(self.eval("--out", part, "--batch", 1, "--threads", 1, spec=self.spec + ",2-3"),
                         self.predictions(part), self.truth[1:], 0.2)
        self.assertEqual(self.predictions(part), self.predictions(whole)[1:])

    def test_compressed_annotations(self):
        other = self.folder / "other"
        write_lsp(other, compressed=True)
        self.assertEqual(self.eval(spec=f"lsp:{other / 'joints.mat'},{other / 'images'}"), self.eval())

    def test_agrees_with_infer(self):
        """The same crop, the same joints: centre and size by the labelled joints' box."""
        out = self.folder / "out"
        self.eval("--out", out)
        for i, joints in enumerate(self.truth):
            xs, ys = zip(*joints)
            center = f"{(min(xs) + max(xs)) / 2:.17g},{(min(ys) + max(ys)) / 2:.17g}"
            size = max(max(xs) - min(xs), max(ys) - min(ys)) / 200
            one = self.folder / f"one{i}"
            self.ok("cpm-infer", "--weights", self.weights, "--out", one, "--center", center, "--scale", f"{size:.17g}",
                    image := self.folder / "images" / f"im{i + 1:04}.png")
            width, height = png_size(image)
            found = json.loads((one / "keypoints.json").read_text(encoding="utf-8"))[0]["keypoints"]
            for a, b in zip(found, self.predictions(out)[i]["keypoints"]):
                self.assertTrue(0 <= a[0] <= width - 1 and 0 <= a[1] <= height - 1, a)  # never outside the picture
                self.assertLess(max(abs(p - q) for p, q in zip(a, b)), 0.01)

    def test_flip_and_scales(self):
        results = {}
        for name, more in {"plain": (), "one": ("--scales", "1"), "flip": ("--flip",), "scales": ("--scales", "0.7,1,1.3"),
                           "all": ("--flip", "--scales", "0.7,1,1.3")}.items():
            self.eval("--out", self.folder / name, *more)
            results[name] = (self.folder / name / "predictions.json").read_text(encoding="utf-8")
        self.assertEqual(results["plain"], results["one"])
        self.assertEqual(len(set(results.values())), 4)

    def test_table(self):
        table = self.ok("cpm-eval", "--weights", self.weights, "--data", "synthetic:2").out.splitlines()
        self.assertEqual(len(table), len(JOINTS) + 2)
        self.assertTrue(table[0].startswith("joint") and "PCK@0.2" in table[0] and table[-1].startswith("mean"))

    def test_nothing_is_left_after_an_error(self):
        other = self.folder / "k5.safetensors"
        write_safetensors(other, network(joints=5))
        broken = self.folder / "broken"
        shutil.copytree(self.folder / "images", broken)
        (broken / "im0002.png").write_bytes((broken / "im0002.png").read_bytes()[:300])
        before = tree(self.folder)
        out = ("--out", self.folder / "deep/out")
        good = ("--weights", self.weights, "--data", self.spec)
        for code, parts, arguments in (
                (65, ("expected: 14 joints", "got: 5"), ("--weights", other, "--data", self.spec)),
                (65, ("im0002.png", "truncated"), ("--weights", self.weights, "--data",
                                                   f"lsp:{self.folder / 'joints.mat'},{broken}")),
                (64, ("range", "1-3", "got: 2-4"), ("--weights", self.weights, "--data", self.spec + ",2-4")),
                (64, ("--metric", "got: pkc"), (*good, "--metric", "pkc")),
                (64, ("--scales", "got: 1,x"), (*good, "--scales", "1,x")),
                (64, ("--threshold", "got: 0"), (*good, "--threshold", "0")),
                (64, ("--batch", "got: 0"), (*good, "--batch", "0")),
                (64, ("raw",), ("--weights", self.weights, "--data", "raw:x.safetensors"))):
            with self.subTest(parts):
                self.error(run("cpm-eval", *arguments, *out), code, *parts)
                self.assertEqual(tree(self.folder), before)


class Grad(Case):
    def setUp(self):
        super().setUp()
        self.weights, self.raw = self.folder / "w.safetensors", self.folder / "raw.safetensors"
        self.network = network()
        self.tensors = raw_tensors()
        write_safetensors(self.weights, self.network)
        write_safetensors(self.raw, self.tensors)

    def grad(self, *more, weights=None, raw=None):
        out = self.folder / "grad.safetensors"
        result = self.ok("cpm-grad", "--weights", weights or self.weights, "--raw-input", raw or self.raw, "--out", out,
                         "--json", *more)
        return read_safetensors(out)[0], self.json_of(result)

    def test_names_and_losses(self):
        grads, summary = self.grad()
        self.assertEqual(set(grads), {*self.network, "loss"})
        for name, tensor in self.network.items():
            self.assertEqual((grads[name].shape, grads[name].dtype), (tensor.shape, "F32"))
            self.assertGreater(grads[name].largest(), 0, name)
        self.assertEqual((grads["loss"].shape, grads["loss"].dtype), ([STAGES], "F32"))
        # The loss: squared error over 2 N, of the maps that cpm-infer gives.
        self.ok("cpm-infer", "--weights", self.weights, "--raw-input", self.raw, "--out", self.folder / "m")
        maps, _ = read_safetensors(self.folder / "m/heatmaps.safetensors")
        for stage in range(1, STAGES + 1):
            expected = sum((a - b) ** 2 for a, b in zip(maps[f"stage{stage}"].values, self.tensors["target"].values)) / 4
            self.assertLess(abs(summary["loss"][stage - 1] - expected), 2e-6 * expected)
            self.assertLess(abs(grads["loss"].values[stage - 1] - expected), 2e-6 * expected)
        self.assertLess(abs(summary["total"] - sum(summary["loss"])), 1e-9 * summary["total"])
        norm = math.sqrt(sum(v * v for name, t in grads.items() if name != "loss" for v in t.values))
        self.assertLess(abs(summary["grad_norm"] - norm), 1e-6 * norm)

    def test_same_bits_for_any_threads(self):
        for threads in (1, 3):
            self.assertEqual(self.grad("--threads", threads)[0], self.grad("--threads", 2)[0])

    def test_last_stage_only(self):
        every, all_losses = self.grad()
        last, losses = self.grad("--no-intermediate-supervision")
        self.assertEqual(last["loss"], every["loss"])
        self.assertEqual(losses["total"], losses["loss"][-1])
        self.assertLess(losses["total"], all_losses["total"])
        # The last layer has one path only; what lies before has lost the other stage's.
        self.assertEqual(last["Mconv5_stage2.bias"], every["Mconv5_stage2.bias"])
        self.assertFalse(last["conv7_stage1.bias"] == every["conv7_stage1.bias"])

    def test_target_of_the_first_stage(self):
        plain, _ = self.grad()
        raw = self.folder / "two.safetensors"
        target = self.tensors["target"]
        write_safetensors(raw, {**self.tensors, "target_stage1": Tensor(target.shape, [1 - v for v in target.values])})
        other, _ = self.grad(raw=raw)
        self.assertNotEqual(other["loss"].values[0], plain["loss"].values[0])
        self.assertEqual(other["loss"].values[1:], plain["loss"].values[1:])
        self.assertEqual(other["Mconv5_stage2.weight"], plain["Mconv5_stage2.weight"])
        self.assertFalse(other["conv7_stage1.weight"] == plain["conv7_stage1.weight"])
        # Given the same, it changes nothing.
        write_safetensors(raw, {**self.tensors, "target_stage1": target})
        self.assertEqual(self.grad(raw=raw)[0], plain)

    def test_double_precision(self):
        single, _ = self.grad()
        double, _ = self.grad("--precision", "fp64")
        for name in self.network:
            self.assertEqual(double[name].dtype, "F64")
            self.assertLess(single[name].distance(double[name]), 1e-4, name)

    def test_a_gradient_by_differences(self):
        """(L(b + h) - L(b - h)) / 2h of the total loss, in double, where a stage lies between and where none does."""
        h = 1e-4
        grads, _ = self.grad("--precision", "fp64")
        for name, index in (("conv7_stage1.bias", 3), ("Mconv5_stage2.bias", 14), ("Mconv1_stage2.bias", 0)):
            totals = []
            for sign in (1, -1):
                values = [float(v) for v in self.network[name].values]
                values[index] += sign * h
                moved = self.folder / "moved.safetensors"
                write_safetensors(moved, {**self.network, name: Tensor([len(values)], values, "F64")})
                totals.append(self.grad("--precision", "fp64", weights=moved)[1]["total"])
            slope, found = (totals[0] - totals[1]) / (2 * h), grads[name].values[index]
            self.assertLess(abs(slope - found), 1e-5 * max(1, abs(found)), name)
            self.assertGreater(abs(found), 1e-6, name)

    def test_inputs_are_never_overwritten(self):
        before = tree(self.folder)
        for out in (self.weights, self.raw):
            self.error(run("cpm-grad", "--weights", self.weights, "--raw-input", self.raw, "--out", out), 64, "--out")
            self.assertEqual(tree(self.folder), before)

    def test_wrong_tensors(self):
        half = Tensor([2, 15, 2, 2], [0] * 120)
        for parts, tensors in (
                (("target", "expected: [2, 15, 4, 5]", "got: [2, 15, 2, 2]"), {**self.tensors, "target": half}),
                (("target_stage1", "got: "), {**self.tensors, "target_stage1": half}),
                (("center", "expected: [2, 1, 32, 40]"), {**self.tensors, "center": half}),
                (("missing", "'target'"), {name: self.tensors[name] for name in ("image", "center")}),
                (("image", "multiples of 8", "got: [1, 3, 12, 8]"), {**self.tensors, "image": Tensor([1, 3, 12, 8], [0] * 288)}),
                (("U8", "expected: F32"), {**self.tensors, "center": Tensor([2, 1, 32, 40], [1] * 2560, "U8")})):
            raw = self.folder / "wrong.safetensors"
            write_safetensors(raw, tensors)
            out = self.folder / "never.safetensors"
            with self.subTest(parts):
                self.error(run("cpm-grad", "--weights", self.weights, "--raw-input", raw, "--out", out), 65, str(raw), *parts)
                self.assertFalse(out.exists())


class Bench(Case):
    TINY = ("--size", 64, "--width", 0.125, "--samples", 2, "--stages", 2)

    def test_json(self):
        report = self.json_of(self.ok("bench_cpm", *self.TINY, "--json", "--threads", 1))
        for name in ("forward", "step"):
            self.check_times(report[name])
        self.assertGreater(report["peak_rss_mb"], 1)
        self.assertGreater(report["peak_gflops"], 0)
        self.assertEqual(len(report["losses"]), 2)
        self.assertEqual(report["threads"], 1)
        self.assertFalse([name for name in report if "grad_hist" in name])
        # The losses are those of a fixed filling: the same again, with another number of threads.
        again = self.json_of(self.ok("bench_cpm", *self.TINY, "--json", "--threads", 2, "--mode", "step"))
        self.assertEqual(again["losses"], report["losses"])
        self.assertNotIn("forward", again)

    def check_times(self, times):
        """Of two samples."""
        self.assertEqual(set(times), {"median", "min", "all", "busy"})
        self.assertEqual((len(times["all"]), len(times["busy"])), (2, 2))
        self.assertEqual(times["min"], min(times["all"]))
        self.assertAlmostEqual(times["median"], sum(times["all"]) / 2, places=12)
        self.assertGreater(min(times["all"] + times["busy"]), 0)

    def test_counting_gradients(self):
        """Steps that count beside steps that do not, whatever else is timed; the share is the median difference of a turn's
        two over the median without."""
        arguments = ("bench_cpm", *self.TINY, "--threads", 1, "--mode", "forward", "--grad-hist")
        report = self.json_of(self.ok(*arguments, "--json"))
        self.assertEqual(set(report), {"forward", "step_plain", "step_grad_hist", "grad_hist_share", "peak_rss_mb",
                                       "peak_gflops", "losses", "threads", "isa"})
        plain, counting = report["step_plain"], report["step_grad_hist"]
        for times in (report["forward"], plain, counting):
            self.check_times(times)
        more = sum(b - a for a, b in zip(plain["all"], counting["all"])) / 2
        self.assertAlmostEqual(report["grad_hist_share"], more / plain["median"], places=9)
        self.assertEqual(report["losses"], [])
        told = self.ok(*arguments)
        self.assertRegex(told.out, r"(?m)^counting gradients adds -?\d+\.\d\d % to a step$")
        self.assertEqual(len(re.findall(r"(?m)^step \d/2: \S+ s, counting \S+ s$", told.err)), 2)

    def test_on_request(self):
        """The steps are those of --mode step, one for each line; maps are those of the weights at that moment."""
        def ask(*requests, code=0):
            done = subprocess.run(command("bench_cpm", *self.TINY, "--threads", 1, "--on-request"), check=False, timeout=LIMIT,
                                  input="".join(f"{line}\n" for line in requests), capture_output=True, text=True)
            self.assertEqual(done.returncode, code, done)
            return list(map(json.loads, done.stdout.splitlines())), done.stderr

        (ready, before, forward, *steps, after), _ = ask("maps", "forward", "step", "step", "step", "maps")
        self.assertEqual(ready["threads"], 1)
        self.assertEqual({name: len(maps) for name, maps in before.items()}, {"stage1": 15 * 8 * 8, "stage2": 15 * 8 * 8})
        for sample in (forward, *steps):
            self.assertGreater(min(sample["seconds"], sample["busy"], sample["peak_rss_mb"]), 0)
        report = self.json_of(self.ok("bench_cpm", *self.TINY, "--json", "--threads", 1, "--mode", "step"))
        self.assertEqual([step["loss"] for step in steps][1:], report["losses"])
        self.assertGreater(steps[0]["grad_norm"], 0)
        self.assertNotEqual(before, after)
        self.assertNotIn("loss", forward)
        _, err = ask("forwards", code=64)
        self.assertIn("error: standard input: unknown request | expected: forward, step or maps | got: forwards", err)

    def test_errors(self):
        for parts, arguments in ((("--size", "8"), ("--size", 100)), (("--mode", "got: both"), ("--mode", "both")),
                                 (("--samples", "got: 0"), ("--samples", 0)), (("--width", "got: 0"), ("--width", 0)),
                                 (("--stages", "1 to 6", "got: 7"), ("--stages", 7))):
            with self.subTest(parts):
                self.error(run("bench_cpm", *arguments), 64, *parts)


if __name__ == "__main__":
    main()
