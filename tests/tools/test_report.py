"""report.html as cpm-train writes it: well-formed, whole, without any other file; what it shows of a run with everything,
without validation, of one stage, resumed, under way and broken down."""

import html.parser
import re
import subprocess
import time

from support import LIMIT, TINY, Case, command, main, read_csv, run, write_lsp

SECTIONS = ["accuracy", "people", "belief", "learning", "gradients", "inputs", "speed", "repeat"]
VOID = {"meta", "link", "img", "br", "image", "line", "rect", "circle", "polyline", "polygon", "path"}
# What depends on the clock or on the command.
TIMED = {"speed", "repeat"}


class Page(html.parser.HTMLParser):
    """A page whose tags close in their turn: its sections, what it refers to, its text."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.raw = path.read_text(encoding="utf-8")
        self.faults, self.open, self.sections, self.links, self.text, self.captions = [], [], [], [], "", []
        self.state = None  # what went wrong with the run
        self.feed(self.raw)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.sections.append(attrs.get("id"))
        if tag == "figcaption":
            self.captions.append("")
        if attrs.get("class") == "state":
            self.state = ""
        for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
            if name in attrs:
                self.links.append(attrs[name])
        for name, value in attrs.items():
            if name.startswith("on"):
                self.faults.append(f"{tag} {name}")
            if name not in ("src", "href") and re.search(r"\b(nan|inf)\b", value or ""):
                self.faults.append(f"{tag} {name}={value}")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        if "style" in self.open:
            if re.search(r"url\(|@import", data):
                self.faults.append("the style sheet loads something")
            return
        if self.state == "":
            self.state = data
            return
        self.text += data
        if "figcaption" in self.open:
            self.captions[-1] += data

    def section(self, name):
        return re.search(rf'<section id="{name}">.*?</section>', self.raw, re.DOTALL).group(0)


class Report(Case):
    def train(self, name, *more, code=0, steps=6):
        out = self.folder / name
        result = run("cpm-train", "--data", "synthetic:12", *TINY, "--steps", steps, "--out", out, *more)
        self.assertEqual(result.code, code, result)
        return out

    def page(self, out):
        page = Page(out / "report.html")
        self.assertEqual(page.faults, [])
        self.assertNotIn("script", {tag for tag in re.findall(r"<(\w+)", page.raw)})
        for link in page.links:
            self.assertRegex(link, r"^(#\w+$|data:)")
        self.assertEqual([link[1:] for link in page.links if link.startswith("#")], page.sections)
        self.assertIsNone(re.search(r"\b(nan|inf|NaN)\b", page.text), page.text)
        self.assertLess(len(page.raw), 2_000_000)
        return page

    def test_everything_and_hostile_names(self):
        name = "<b>bold<b>&amp; \"it's\""
        lsp = self.folder / "<i>people"
        write_lsp(lsp, people=5)
        spec = f"lsp:{lsp}/joints.mat,{lsp}/images"
        out = self.folder / name
        self.ok("cpm-train", "--data", spec, "--val", spec, *TINY, "--steps", 6, "--out", out, "--grad-hist", 2, "--set",
                "train.val_every=3", "--set", "report.image=2", "--set", "report.worst=2")
        page = self.page(out)
        self.assertEqual(page.sections, SECTIONS)
        self.assertIsNone(page.state)
        self.assertIn(name, page.text)
        self.assertIn(str(lsp), page.text)
        self.assertNotIn("<b>bold", page.raw)
        self.assertNotIn("<i>people", page.raw)
        self.assertIn("It has not learned to look", page.text)
        for stage in (1, 2):
            self.assertIn(f"Stage {stage}", page.text)
        # Two worst of five, one typical and one best; whose belief was asked for; a strip a map; the first samples.
        people = [caption for caption in page.captions if " joints, mean error " in caption]
        self.assertEqual(len(people), 5)
        self.assertTrue(people[4].startswith("im0002.png: "), people)
        self.assertEqual(len({caption.split(":")[0] for caption in people[:4]}), 4)
        self.assertEqual(len([caption for caption in page.captions if re.search(r"^[\w ]+: [\d.]+ → [\d.]+$", caption)]), 14)
        self.assertIn("background", page.captions)
        self.assertEqual(len([caption for caption in page.captions if re.search(r"^im\d+\.png(, mirrored)?$", caption)]), 12)
        self.assertIn("Mconv5_stage2", page.section("gradients"))
        self.assertIn("Mconv5_stage2", page.section("repeat"))
        self.assertIn("mean pose", page.section("accuracy"))
        self.assertIn("over the validations", page.section("accuracy"))
        rows, columns = read_csv(out / "metrics.csv")
        self.assertEqual(columns[-1], "data_wait")
        for row, before in zip(rows, [{"seconds": 0}] + rows):
            self.assertTrue(0 <= row["data_wait"] <= row["seconds"] - before["seconds"] + 1e-3, row)

    def test_without_validation_of_one_stage(self):
        out = self.train("run", "--set", "model.stages=1")
        page = self.page(out)
        self.assertEqual(page.sections, ["learning", "inputs", "speed", "repeat"])
        self.assertIn("There was no validation", page.text)
        self.assertIn("of 1 stage,", page.text)
        self.assertNotIn("Stage 2", page.text)
        self.assertEqual(len(page.captions), 12)
        # Validated once, at the end: nothing over the validations, no grads.
        page = self.page(self.train("validated", "--set", "model.stages=1", "--val", "synthetic:1"))
        self.assertEqual(page.sections, [section for section in SECTIONS if section != "gradients"])
        self.assertNotIn("over the validations", page.text)
        self.assertIn("Found worst", page.text)

    def test_person_that_is_not_there(self):
        for people, asked in ((3, 4), (0, 1)):
            val = ("--val", f"synthetic:{people}") if people else ()
            self.error(run("cpm-train", "--data", "synthetic:4", *TINY, "--steps", 1, *val, "--set", f"report.image={asked}",
                           "--out", self.folder / "no"), 64, "report.image", f"got: {asked}")
        self.assertFalse((self.folder / "no").exists())

    def test_resumed(self):
        """Its files are those of an undisturbed run, the clock aside, and so is its page."""
        more = ("--val", "synthetic:20,13-16", "--grad-hist", 1, "--set", "train.val_every=2", "--set", "optim.warmup=3")
        whole = self.train("whole", *more)
        parts = self.train("parts", *more, steps=4)
        (parts / "val/step-00000005").mkdir()  # of a part that was lost
        (parts / "val/step-00000005/metrics.json").write_text('{"mean": 1}', encoding="utf-8")
        self.ok("cpm-train", "--resume", parts, "--steps", 6)
        for path in sorted([*whole.glob("val/*/*"), *whole.glob("grads/*")]):
            self.assertTrue((parts / path.relative_to(whole)).read_bytes() == path.read_bytes(), path)
        self.assertFalse((parts / "val/step-00000005").exists())
        for mine, theirs in zip(read_csv(parts / "metrics.csv")[0], read_csv(whole / "metrics.csv")[0], strict=True):
            self.assertEqual({**mine, "seconds": 0, "data_wait": 0}, {**theirs, "seconds": 0, "data_wait": 0})
        one, two = self.page(whole), self.page(parts)
        self.assertEqual(one.sections, SECTIONS)
        self.assertEqual(two.sections, SECTIONS)
        for section in set(SECTIONS) - TIMED:
            self.assertTrue(one.section(section) == two.section(section), section)
        self.assertIn("Resumed", two.text)

    def test_under_way(self):
        out = self.folder / "run"
        with subprocess.Popen(command("cpm-train", "--data", "synthetic:12", "--val", "synthetic:3", *TINY, "--steps", 1000000,
                                      "--set", "train.val_every=5", "--out", out), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            end = time.monotonic() + LIMIT
            while not (out / "report.html").exists() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.01)
            process.kill()
        page = self.page(out)
        self.assertRegex(page.state, r"^Training goes on: this was written after step \d+ of 1000000\.$")
        self.assertIn("belief", page.sections)

    def test_broken_down(self):
        out = self.train("run", "--set", "optim.name=sgd", "--set", "optim.lr=1e30", "--val", "synthetic:3", code=1)
        page = self.page(out)
        self.assertRegex(page.state, r"^Training failed after step \d of 6: .*training diverged")
        self.assertIn("learning", page.sections)
        self.assertNotIn("belief", page.sections)


if __name__ == "__main__":
    main()
