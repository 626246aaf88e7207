"""coco:, mpii: and lsp: data from annotation to score, and cpm-data: check, stats, show and convert. Drawn people, and where
CPM_TEST_DATA is set the samples of the real sets."""

import copy
import json
import os
import statistics
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import data_sets  # noqa: E402
from support import (BIN, JOINTS, TINY, Case, main, pack_mat, png_size, read_csv, read_safetensors, run, tree,  # noqa: E402
                     write_lsp)

SHARED = os.environ.get("CPM_TEST_DATA")
CONVERTER = (BIN / "cpm-convert-mat").is_file()


class Sets(Case):
    def train_and_score(self, spec, joints, metric, people):
        """20 steps lower the loss, the weights know the joints, and each way to use them works."""
        out = self.folder / "run"
        self.ok("cpm-train", "--data", spec, "--val", spec, *TINY, "--steps", 20, "--set", "optim.lr=0.003", "--out", out)
        rows, _ = read_csv(out / "metrics.csv")
        self.assertEqual(len(rows), 20)
        losses = [row["loss"] for row in rows]
        self.assertLess(statistics.mean(losses[-5:]), statistics.mean(losses[:5]))
        weights = out / "weights.safetensors"
        self.assertEqual(read_safetensors(weights)[1]["joints"], ",".join(joints))
        score = self.json_of(self.ok("cpm-eval", "--weights", weights, "--data", spec, "--flip", "--json", "--out",
                                     self.folder / "eval"))
        self.assertEqual((score["metric"], list(score["per_joint"])), (metric, list(joints)))
        self.assertTrue(0 <= score["mean"] <= 1)
        found = json.loads((self.folder / "eval/predictions.json").read_text(encoding="utf-8"))
        self.assertEqual(len(found), people)
        self.assertEqual({len(one["keypoints"]) for one in found}, {len(joints)})
        image = Path(spec.split(",")[1]) / found[0]["image"]
        self.ok("cpm-infer", "--weights", weights, "--out", self.folder / "infer", image)
        keypoints = json.loads((self.folder / "infer/keypoints.json").read_text(encoding="utf-8"))
        self.assertEqual(len(keypoints[0]["keypoints"]), len(joints))
        sheet = self.folder / "sheet.png"
        self.ok("cpm-data", "show", spec, "--out", sheet, "--count", 4, "--size", 128)
        self.assertEqual(png_size(sheet)[0], min(4, people) * (128 + 6) - 6)
        return score

    def test_coco(self):
        score = self.train_and_score(data_sets.write_coco(self.folder), data_sets.COCO_NAMES, "oks", 6)
        self.assertEqual(len(score["ap"]), 10)
        self.assertEqual(score["count"], 6)

    def test_mpii(self):
        score = self.train_and_score(data_sets.write_mpii(self.folder), data_sets.MPII_NAMES, "pckh", 6)
        self.assertEqual((score["threshold"], score["count"]), (0.5, 6 * 14 - 3))

    def test_other_joints(self):
        """Validation and weights must have the joints of the data."""
        coco, mpii = data_sets.write_coco(self.folder), data_sets.write_mpii(self.folder)
        before = tree(self.folder)
        self.error(run("cpm-train", "--data", coco, "--val", mpii, *TINY, "--out", self.folder / "run"), 64, "--val",
                   "other joints than training", "the 17 joints", "got: 16 others")
        self.assertEqual(tree(self.folder), before)

    def test_ranges(self):
        spec = data_sets.write_coco(self.folder)
        stats = self.json_of(self.ok("cpm-data", "stats", f"{spec},4-8", "--json"))
        self.assertEqual((stats["people"], stats["with_company"]), (3, 3))
        self.error(run("cpm-data", "stats", f"{spec},4-9"), 64, "expected: a range within 1-8", "got: 4-9")

    @unittest.skipUnless(SHARED, "CPM_TEST_DATA is not set: no samples of the real sets")
    def test_the_samples_of_the_real_sets(self):
        data = Path(SHARED or "") / "data"
        for spec, joints, metric, people in (
                (f"lsp:{data}/lspet/joints.mat,{data}/lspet/images,1-20", [name.replace(" ", "_") for name in JOINTS], "pck", 20),
                (f"coco:{data}/coco/test_coco.json,{data}/coco", data_sets.COCO_NAMES, "oks", 12),
                (f"mpii:{data}/mpii/test_mpii.json,{data}/mpii", data_sets.MPII_NAMES, "pckh", 5)):
            images = spec.split(",")[1]
            with self.subTest(spec):
                self.folder = self.folder / "next"
                self.folder.mkdir()
                before = tree(images) if metric != "pck" else None
                self.train_and_score(spec, joints, metric, people)
                self.ok("cpm-data", "check", spec)
                if before is not None:
                    self.assertEqual(tree(images), before)


class Data(Case):
    def check(self, spec, code=0):
        """The faults that cpm-data check lists, in its text as in its JSON."""
        before = tree(self.folder)
        result, plain = run("cpm-data", "check", spec, "--json"), run("cpm-data", "check", spec)
        self.assertEqual((result.code, plain.code), (code, code), result)
        report = json.loads(result.out)
        self.assertEqual(report["ok"], code == 0)
        for fault in report["faults"]:
            self.assertIn(f"{fault['file']}: {fault['what']}", plain.out)
        if code:
            self.error(result, code, f"got: {len(report['faults'])} faults")
        self.assertIn(f"{len(report['faults'])} faults in {report['people']} people, {report['images']} images", plain.out)
        self.assertEqual(tree(self.folder), before)
        return report["faults"]

    def test_check_coco(self):
        spec = data_sets.write_coco(self.folder)
        self.assertEqual(self.check(spec), [])
        file = json.loads((self.folder / "coco.json").read_text(encoding="utf-8"))
        faulty = copy.deepcopy(file)
        people = faulty["annotations"]
        people[0]["keypoints"][0] = 400
        people[1]["keypoints"] = people[1]["keypoints"][:-3]
        people[1]["num_keypoints"] -= 1
        people[2]["num_keypoints"] = 3
        people[4]["image_id"] = 99
        people.append(copy.deepcopy(people[3]))
        (self.folder / "coco.json").write_text(json.dumps(faulty), encoding="utf-8")
        (self.folder / "images/im0.png").write_bytes((self.folder / "images/im0.png").read_bytes()[:200])
        found = [fault["what"] for fault in self.check(spec, 65)]
        for part in ("annotation 3: num_keypoints does not count the labelled joints",
                     "annotation 2: another number of joints than the category", "annotation 5: its image is not listed",
                     "record 9: the same person as record 4"):
            self.assertIn(part, found)
        self.assertEqual(len(found), 5, found)  # and the cut image, whose joints cannot be placed
        (self.folder / "images/im0.png").unlink()
        self.assertEqual(len(self.check(spec, 65)), 5)
        data_sets.write_images(self.folder / "images", data_sets.people())
        self.assertIn("record 1: 1 labelled joints outside the image", [fault["what"] for fault in self.check(spec, 65)])
        for text, part in (("{", "coco.json:1:2: JSON syntax error"), ("[]", "no list images"), ("", "the file is empty")):
            (self.folder / "coco.json").write_text(text, encoding="utf-8")
            faults = self.check(spec, 65)
            self.assertEqual(len(faults), 1)
            self.assertIn(part, faults[0]["file"] + ": " + faults[0]["what"])

    def test_check_mpii_and_lsp(self):
        spec = data_sets.write_mpii(self.folder)
        self.assertEqual(self.check(spec), [])
        records = data_sets.mpii(data_sets.people())
        records[1]["joints"].pop()
        records[2]["center"] = [-40, 5]
        records[3]["joints_vis"][0] = 2
        (self.folder / "mpii.json").write_text(json.dumps(records), encoding="utf-8")
        self.assertEqual({fault["what"] for fault in self.check(spec, 65)},
                         {"record 2: joints has the wrong number of values", "record 3: the person's centre outside the image",
                          "record 4: right_ankle has a strange flag"})
        lsp = self.folder / "lsp"
        write_lsp(lsp)
        spec = f"lsp:{lsp / 'joints.mat'},{lsp / 'images'}"
        self.assertEqual(self.check(spec), [])
        (lsp / "joints.mat").write_bytes(pack_mat("joints", [3, 14, 3], [float("nan"), *[5.0] * 125]))
        self.assertTrue(any("record 1, right_ankle has no coordinates" in fault["what"] for fault in self.check(spec, 65)))

    def test_stats(self):
        spec = data_sets.write_coco(self.folder)
        stats = self.json_of(self.ok("cpm-data", "stats", spec, "--json"))
        people = json.loads((self.folder / "coco.json").read_text(encoding="utf-8"))["annotations"][:6]
        labels = {name: sum(one["keypoints"][3 * j + 2] > 0 for one in people) for j, name in enumerate(data_sets.COCO_NAMES)}
        self.assertEqual(stats["per_joint"], labels)
        self.assertEqual((stats["people"], stats["images"], stats["joints"]), (6, 3, 6 * 17))
        self.assertEqual(stats["labelled"], sum(labels.values()))
        self.assertEqual(stats["people_with"], [0] * 16 + [3, 3])
        self.assertEqual((stats["with_torso"], stats["with_company"], stats["right_shoulder_left"]), (6, 6, 1))
        heights = sorted(max(one["bbox"][2:]) for one in people)
        self.assertAlmostEqual(stats["height"]["least"], heights[0], delta=1e-9)
        self.assertAlmostEqual(stats["height"]["most"], heights[-1], delta=1e-9)
        text = self.ok("cpm-data", "stats", spec).out
        self.assertIn("coco coco.json 1-8: 6 people, 1 marked as crowd left out, 1 without a labelled joint left out", text)
        self.assertEqual(self.json_of(self.ok("cpm-data", "stats", "synthetic:20", "--json"))["people"], 20)

    def test_show(self):
        spec = data_sets.write_mpii(self.folder)
        self.ok("cpm-data", "show", spec, "--names", "--count", 5, "--first", 2, "--size", 100, cwd=self.folder)
        self.assertEqual(png_size(self.folder / "data-sheet.png"), (4 * 106 - 6, 32 + 6 + 2 * 116 + 6))
        before = tree(self.folder)
        self.error(run("cpm-data", "show", spec, cwd=self.folder), 73, "data-sheet.png", "there is such a file already", "--out")
        self.error(run("cpm-data", "show", spec, "--first", 7, "--out", self.folder / "x.png"), 64, "--first",
                   "expected: 1 to 6", "got: 7")
        self.error(run("cpm-data", "show", spec, "--count", 0, "--out", self.folder / "x.png"), 64, "--count")
        self.assertEqual(tree(self.folder), before)

    def test_command_line(self):
        for parts, words in ((("a command is missing",), ()), (("unknown command", "did you mean check?"), ("chek", "synthetic")),
                             (("check", "one SPEC", "got: 0"), ("check",)), (("raw",), ("stats", "raw:x.safetensors")),
                             (("did you mean coco?",), ("stats", "cocoa:a,b")),
                             (("convert", ".mat annotations"), ("convert", "synthetic:3"))):
            with self.subTest(words):
                self.error(run("cpm-data", *words), 64, *parts)


@unittest.skipUnless(CONVERTER, "cpm-convert-mat is not built (matio is missing: apt package libmatio-dev)")
class Convert(Case):
    def test_lsp(self):
        """Through matio and coco: as through lsp: and its own reader."""
        write_lsp(self.folder, people=4)
        images = self.folder / "images"
        for path in list(images.iterdir()):
            path.rename(path.with_suffix(".jpg"))
        spec = f"lsp:{self.folder / 'joints.mat'},{images}"
        out = self.folder / "lsp.json"
        self.assertEqual(self.json_of(self.ok("cpm-data", "convert", spec, "--out", out, "--json"))["records"], 4)
        same = {}
        for name, form in (("mat", spec), ("json", f"coco:{out},{images}")):
            stats = self.json_of(self.ok("cpm-data", "stats", form, "--json"))
            del stats["data"]
            sheet = self.folder / f"{name}.png"
            self.ok("cpm-data", "check", form)
            self.ok("cpm-data", "show", form, "--out", sheet)
            same[name] = stats
        self.assertEqual(same["mat"], same["json"])

    def test_lsp_values(self):
        """A label's flag is kept, a missing joint has none; the extended set's axes are swapped."""
        values = [float(5 + i % 50) for i in range(84)]
        values[28:42] = [1.0] * 7 + [0.0] * 7
        values[70:84] = [0.0] * 14
        (self.folder / "joints.mat").write_bytes(pack_mat("joints", [14, 3, 2], values, compressed=True))
        self.ok("cpm-data", "convert", f"lsp:{self.folder / 'joints.mat'},{self.folder}", cwd=self.folder)
        file = json.loads((self.folder / "joints.json").read_text(encoding="utf-8"))
        first, second = file["annotations"]
        self.assertEqual([image["file_name"] for image in file["images"]], ["im00001.jpg", "im00002.jpg"])
        for j in range(14):
            want = [values[j] - 1, values[14 + j] - 1, 2] if j < 7 else [0, 0, 0]
            self.assertEqual(first["keypoints"][3 * j:3 * j + 3], want)
        self.assertEqual((first["num_keypoints"], second["num_keypoints"]), (7, 0))
        self.assertEqual(first["bbox"], [4, 18, 6, 6])
        self.assertNotIn("bbox", second)

    def convert_release(self):
        file, out = self.folder / "release.mat", self.folder / "mpii.json"
        file.write_bytes(data_sets.pack_structs("RELEASE", data_sets.release()))
        self.ok("cpm-data", "convert", f"mpii:{file},{self.folder}", "--out", out)
        return json.loads(out.read_text(encoding="utf-8"))

    def test_mpii(self):
        records = self.convert_release()
        self.assertEqual([record["img_paths"] for record in records], ["015601864.jpg"] * 2 + ["odd.jpg"] * 2)
        self.assertEqual([(record["annolist_index"], record["people_index"]) for record in records],
                         [(1, 1), (1, 2), (4, 2), (4, 3)])
        first, second, third, fourth = records
        self.assertEqual(first["joint_self"], [[10.5 * j + 1.5, 7 * j + 30.25, 1] for j in range(16)])
        self.assertEqual(second["joint_self"],
                         [[10.5 * j + 40, 7 * j + 30.25, 0] for j in range(12)] + [[0, 0, 0]] * 4)
        self.assertEqual(first["joint_others"], [second["joint_self"]])
        self.assertEqual(second["joint_others"], [first["joint_self"]])
        self.assertEqual((first["objpos"], first["scale_provided"], first["headbox"]), ([594, 257], 3.25, [20, 30, 60, 300]))
        self.assertEqual([flag for _, _, flag in third["joint_self"]], [0] * 16)
        self.assertNotIn("objpos", third)
        self.assertNotIn("objpos", fourth)
        stats = self.json_of(self.ok("cpm-data", "stats", f"mpii:{self.folder / 'mpii.json'},{self.folder}", "--json"))
        self.assertEqual((stats["people"], stats["labelled"], stats["with_company"]), (4, 16 + 12 + 9 + 16, 4))

    def test_against_scipy(self):
        """What scipy reads from the same file."""
        try:
            import scipy.io
        except ImportError:
            self.skipTest("scipy is missing (apt package python3-scipy): .mat files are not compared with its reading")
        records = iter(self.convert_release())
        read = scipy.io.loadmat(self.folder / "release.mat", squeeze_me=True, struct_as_record=False)["RELEASE"]
        for image in read.annolist:
            for rect in [rect for rect in [image.annorect] if not hasattr(rect, "size")] or list(image.annorect):
                points = getattr(getattr(rect, "annopoints", None), "point", None)
                if points is None:
                    continue
                record = next(records)
                self.assertEqual(record["img_paths"], image.image.name)
                for point in points:
                    x, y, visible = record["joint_self"][int(point.id)]
                    self.assertEqual((x, y), (point.x, point.y))
                    seen = getattr(point, "is_visible", 0)
                    self.assertEqual(visible, int(seen) if str(seen).isdigit() else 0)
        self.assertIsNone(next(records, None))

    def test_what_cannot_be_converted(self):
        file = self.folder / "a.mat"
        good = data_sets.pack_structs("RELEASE", data_sets.release())
        for data, kind, part in ((b"", "mpii", "a.mat"), (b"no MATLAB", "lsp", "not a .mat file"), (good, "lsp", "no variable joints"),
                                 (pack_mat("joints", [2, 2], [1.0] * 4), "lsp", "joints has another shape"),
                                 (pack_mat("RELEASE", [2, 2], [1.0] * 4), "mpii", "RELEASE has no annolist"),
                                 (data_sets.pack_structs("RELEASE", {"annolist": [{"image": {"name": "a"}}]}), "mpii",
                                  "RELEASE has no person")):
            file.write_bytes(data)
            with self.subTest(part):
                before = tree(self.folder)
                self.error(run("cpm-data", "convert", f"{kind}:{file},x", "--out", self.folder / "o.json"), 65, part)
                self.assertEqual(tree(self.folder), before)
        for cut in range(200, len(good), 997):
            file.write_bytes(good[:cut])
            result = run("cpm-data", "convert", f"mpii:{file},x", "--out", self.folder / "o.json")
            self.assertIn(result.code, (0, 65), result)


class Large(Case):
    def read(self, text, kind, records):
        """Statistics of a file with so many records: seconds of the processor, and the peak of memory in bytes."""
        file = self.folder / f"{kind}.json"
        with open(file, "w", encoding="utf-8") as out:
            out.writelines(text)
        words = [str(BIN / "cpm-data"), "stats", f"{kind}:{file},{self.folder}", "--json"]
        script = ("import json, resource, subprocess, sys\n"
                  "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
                  "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
                  "print(json.dumps([done.stdout, done.stderr, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]))")
        done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
        out, err, seconds, peak = json.loads(done.stdout)
        self.assertEqual(err, "")
        self.assertEqual(json.loads(out)["people"], records)
        size = file.stat().st_size
        file.unlink()
        return seconds, peak, size

    def test_time_and_memory_grow_with_the_file(self):
        """100,000 records in 1 GB; four times the records take at most six times the processor's time."""
        for kind, text in (("coco", data_sets.large_coco), ("mpii", data_sets.large_mpii)):
            small, few, _ = self.read(text(25_000), kind, 25_000)
            large, many, size = self.read(text(100_000), kind, 100_000)
            print(f"{kind}: 100,000 records, {size / 1e6:.0f} MB: {large:.2f} s, {many / 1e6:.0f} MB at the peak "
                  f"(25,000: {small:.2f} s, {few / 1e6:.0f} MB)")
            self.assertLess(large, 6 * small + 0.5)
            if b"__asan_init" in (BIN / "cpm-data").read_bytes():
                continue  # AddressSanitizer keeps what was freed
            self.assertLess(many, 1e9)
            self.assertLess((many - few) / 75_000, size / 100_000 + 2_500)  # the text, and a person's share


if __name__ == "__main__":
    main()
