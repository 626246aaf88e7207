"""Training on a disk of 1 MB that fills up, in a mount name space of its own: while a checkpoint is written and at the
end. Skipped where this user may not mount."""

import os
import shutil
import subprocess
import sys

from event_files import Events
from support import SLOW, TINY, Case, main, run, tree

INSIDE = "CPM_TEST_INSIDE_MOUNT"


class FullDisk(Case):
    def setUp(self):
        super().setUp()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "cpm-test", str(self.folder)],
                          capture_output=True, check=False).returncode != 0:
            self.skipTest("a tmpfs cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.folder)], check=False)
        self.out = self.folder / "run"
        self.arguments = ("cpm-train", "--data", "synthetic:8", *TINY, "--out", self.out, "--checkpoint-every", 2)

    def fill(self, leave):
        """A file that takes all but `leave` bytes."""
        disk = os.statvfs(self.folder)
        (self.folder / "filler").write_bytes(b"\0" * max(0, disk.f_bavail * disk.f_frsize - leave))

    def weights(self):
        return (self.out / "weights.safetensors").read_bytes()

    def test_no_room_for_a_second_checkpoint(self):
        """A checkpoint takes 0.8 MB: the first fits, the next one does not, and the first stays."""
        result = run(*self.arguments, "--steps", 5)
        self.error(result, 74, "step-00000005.ckpt", "expected: ", "got: ", "hint: ")
        self.assertIn("warning: no checkpoint at step 4", result.err)
        self.assertEqual({path.name for path in (self.out / "ckpt").iterdir()}, {"step-00000002.ckpt", "last"})
        self.assertEqual([path for path in self.folder.rglob(".*")], [])
        # Resumed where there is room: the same weights as of a run that never met a full disk.
        subprocess.run(["mount", "-o", "remount,size=8m", str(self.folder)], check=True)
        self.ok("cpm-train", "--resume", self.out)
        interrupted = self.weights()
        shutil.rmtree(self.out)
        self.ok(*self.arguments, "--steps", 5)
        self.assertTrue(interrupted == self.weights())

    def test_no_room_at_all(self):
        self.fill(leave=0)
        before = tree(self.folder)
        result = run(*self.arguments, "--steps", 1)
        self.assertIn(result.code, (73, 74))
        self.error(result, result.code, str(self.out))
        self.assertFalse((self.out / "run.toml").exists())
        subprocess.run(["mount", "-o", "remount,size=8m", str(self.folder)], check=True)
        self.ok(*self.arguments, "--steps", 1)
        self.assertNotEqual(tree(self.folder), before)

    def test_rows_are_lost_but_not_the_run(self):
        """Room for the run's small files and some rows: the other rows get lost with a warning, training ends with an
        error, and no half line stays."""
        self.fill(leave=40 * 1024)
        result = run(*self.arguments, "--steps", 60)
        self.error(result, 74, "ckpt")
        lines = (self.out / "metrics.csv").read_bytes()
        self.assertTrue(lines.endswith(b"\n"))
        self.assertEqual(len({line.count(b",") for line in lines.splitlines()}), 1)
        self.assertLess(len(lines.splitlines()), 61)
        self.assertEqual(result.err.count("what TensorBoard is told from step"), 1, result)
        events = Events(self.out)
        self.assertEqual(events.left_over, [0])
        self.assertTrue(0 < len(events.scalars["loss/total"]) < 60)


def enter():
    """Runs this file again in a name space where it may mount, if there can be one."""
    for flags in (["-m"], ["-rm"]):
        probe = ["unshare", *flags, "sh", "-c", "mount -t tmpfs -o size=4k probe /mnt"]
        try:
            if subprocess.run(probe, capture_output=True, timeout=30 * SLOW, check=False).returncode == 0:
                return subprocess.run(["unshare", *flags, sys.executable, *sys.argv], check=False,
                                      env={**os.environ, INSIDE: "1"}).returncode
        except (OSError, subprocess.TimeoutExpired):
            break
    print("SKIPPED: this user may not mount a small disk")
    return 77


if __name__ == "__main__":
    if INSIDE in os.environ:
        main()
    sys.exit(enter())
