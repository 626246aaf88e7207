"""Samples of two programs taken in turns: asking them, judging samples, statistics. For tools/compare_pytorch.py."""

import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

QUIET = 0.925         # (user + system) / wall a thread
TRIES, ENOUGH = 3, 3  # rounds tried for one that is wanted; kept samples that make statistics of their own
PAUSE = 0.2           # seconds before each sample: the other side's threads fall asleep


class Failure(Exception):
    """An error line and an exit code (docs/errors.md)."""

    def __init__(self, code, where, what, **fields):
        super().__init__(f"error: {where}: {what}" + "".join(f" | {key}: {text}" for key, text in fields.items()))
        self.code = code

    @classmethod
    def told(cls, code, line):
        """An error line that another program printed."""
        failure = cls(code, "", "")
        failure.args = (line,)
        return failure


class Peer:
    """A program that prints a line of JSON when it is ready and answers every line of its input by another."""

    def __init__(self, flag, command, environment=None):
        self.flag, self.command = flag, [str(word) for word in command]
        self.environment = {**os.environ, **(environment or {})}
        self.process = self.errors = self.ready = None

    def __enter__(self):
        self.errors = tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                            env=self.environment, encoding="utf-8")
        except OSError as reason:
            self.errors.close()
            raise Failure(69, self.flag, "cannot be started", got=f"{self.command[0]}: {reason.strerror}") from None
        try:
            self.ready = self.read()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.errors):
            stream.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it ended with a request unread

    def ask(self, request):
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # read() says why
        return self.read()

    def read(self):
        line = self.process.stdout.readline()
        try:
            return json.loads(line)
        except ValueError:
            pass
        if line:
            self.process.kill()
        code = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read().decode("utf-8", "replace").split("\n")
        for text in said:
            if text.startswith("error: "):  # a program of ours: its error is ours
                raise Failure.told(code, text)
        last = next((text for text in reversed(said) if text.strip()), "nothing on stderr")
        raise Failure(69, self.flag, f"{pathlib.Path(self.command[0]).name} ended or did not answer",
                      expected="a line of JSON", got=f"exit code {code}, {line.strip() or last.strip()}")


def is_quiet(sample):
    return sample["busy"] >= QUIET


def interleave(ask_ours, ask_theirs, samples, seconds, each=lambda ours, theirs: None, pause=PAUSE):
    """Rounds (our sample, their sample), taken in turns. `each` sees every round and may object."""
    rounds, start = [], time.monotonic()
    for i in range(TRIES * samples):
        kept = [sum(is_quiet(pair[side]) for pair in rounds) for side in (0, 1)]
        if min(kept) >= samples or (i > 0 and time.monotonic() - start > seconds):
            break
        pair = []
        for ask in (ask_ours, ask_theirs):
            time.sleep(pause)
            pair.append(ask())
        each(*pair)
        rounds.append(tuple(pair))
    return rounds


def quartiles(values):
    """(first, third), interpolated between neighbours."""
    if len(values) < 2:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


def side_of(samples):
    kept = [sample["seconds"] for sample in samples if is_quiet(sample)]
    enough = len(kept) >= min(ENOUGH, len(samples))
    counted = kept if enough else [sample["seconds"] for sample in samples]
    median, (first, third) = statistics.median(counted), quartiles(counted)
    return {"median_s": median, "min_s": min(counted), "iqr_percent": 100 * (third - first) / median, "kept": len(kept),
            "tried": len(samples), "enough_kept": enough, "all_s": [sample["seconds"] for sample in samples],
            "busy": [sample["busy"] for sample in samples],
            "peak_rss_mb": max((sample.get("peak_rss_mb", 0) for sample in samples), default=0) or None}


def summary(rounds):
    """Both sides' statistics, the ratio of their medians, and the least and greatest ratio of one round."""
    ours, theirs = (side_of([pair[side] for pair in rounds]) for side in (0, 1))
    counted = [pair for pair in rounds if all(is_quiet(sample) or not side["enough_kept"]
                                              for sample, side in zip(pair, (ours, theirs)))]
    ratios = [theirs_s["seconds"] / ours_s["seconds"] for ours_s, theirs_s in counted]
    return {"ours": ours, "pytorch": theirs, "ratio": theirs["median_s"] / ours["median_s"],
            "ratio_low": min(ratios, default=None), "ratio_high": max(ratios, default=None)}
