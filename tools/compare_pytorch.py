#!/usr/bin/env python3
"""Times this project and PyTorch on the CPU against each other, in turns: whole networks, or single convolutions.

Two programs stay loaded and are asked for one sample each, ours, PyTorch, ours, PyTorch, so that whatever else the machine
does meets both; they are bench_cpm or bench_conv with --on-request, and tools/pytorch_peer.py. Before anything is timed, both
networks (filled by name with the same numbers) must give the same belief maps, loss and norm of the gradient, and every
step's loss is compared after that. PyTorch's allocator is told to keep memory, without which it gives every large tensor back
to the kernel and is slower; --default-malloc leaves it alone.

A sample is kept when (user + system) / wall is at least 0.925 a thread: otherwise a neighbour was at work. Sampling ends with
--samples kept ones of both, three times as many tries, or after --seconds. An asterisk behind "kept": fewer than three, so all
of them count, which is a hint and no result. "ratio" is PyTorch's median over ours (above 1: ours is faster), "range" the least
and greatest of single rounds, "IQR %" the distance of the quartiles over the median, "MB" the most memory that was resident.

Exit codes: 0 done, 1 the two compute different things, 64 usage, 69 no PyTorch or no such program, 73 cannot write."""

import argparse
import collections
import json
import math
import os
import pathlib
import platform
import sys

from paired_samples import QUIET, TRIES, Failure, Peer, interleave, summary

HERE = pathlib.Path(__file__).resolve().parent
# How far the two may differ, relative: of a stage's maps (L2), of a first step, of later steps' losses (Adam divides small
# gradients by their own size, so rounding moves them).
MAPS_BOUND, FIRST_BOUND, LOSS_BOUND = 1e-5, 1e-5, 3e-4
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 34), "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
               "MALLOC_TOP_PAD_": str(64 << 20)}


# The same numbers -----------------------------------------------------------------------------------------------------


def relative(value, reference):
    return abs(value - reference) / max(abs(reference), 1e-300)


def distance(ours, theirs):
    """Relative L2."""
    square = sum((a - b) ** 2 for a, b in zip(ours, theirs, strict=True))
    return math.sqrt(square / sum(b * b for b in theirs))


def require_same(what, difference, bound):
    if not difference <= bound:  # NaN is no agreement either
        raise Failure(1, what, "differs between ours and PyTorch's", expected=f"a relative difference of at most {bound:.0e}",
                      got=f"{difference:.1e}")


def check_maps(ours, theirs):
    """The greatest distance of a stage's maps."""
    if ours.keys() != theirs.keys() or any(len(ours[stage]) != len(theirs[stage]) for stage in ours):
        raise Failure(1, "belief maps", "their sizes differ between ours and PyTorch's")
    worst = 0
    for stage in ours:
        difference = distance(ours[stage], theirs[stage])
        require_same(f"belief maps of {stage}", difference, MAPS_BOUND)
        worst = max(worst, difference)
    return worst


def check_step(ours, theirs, first):
    require_same("loss of a step", relative(ours["loss"], theirs["loss"]), FIRST_BOUND if first else LOSS_BOUND)
    if first:
        require_same("norm of the gradient", relative(ours["grad_norm"], theirs["grad_norm"]), FIRST_BOUND)


# What is compared -----------------------------------------------------------------------------------------------------


def progress(name):
    def show(ours, theirs):
        print(f"{name}: ours {ours['seconds']:.4f} s (busy {ours['busy']:.2f}), PyTorch {theirs['seconds']:.4f} s "
              f"(busy {theirs['busy']:.2f})", file=sys.stderr)
    return show


class Comparison:
    def __init__(self, options):
        self.a = options
        self.machine = {"processor": processor_name(), "processors": os.cpu_count(), "memory_gb": memory_gb(),
                        "system": platform.platform(), "layout": "channels_last" if options.channels_last else "NCHW",
                        "allocator": "default" if options.default_malloc else "keeps its memory"}

    def peers(self, program, arguments, kind, their_arguments):
        common = ["--threads", self.a.threads]
        layout = ["--channels-last"] if self.a.channels_last else []
        theirs = Peer("--python", [self.a.python, HERE / "pytorch_peer.py", kind, *their_arguments, *common, *layout],
                      {} if self.a.default_malloc else KEEP_MEMORY)
        ours = Peer("--bin", [self.a.bin / program, "--on-request", "--device", "cpu", *arguments, *common])
        return ours, theirs

    def note(self, ours, theirs):
        self.machine.update({"threads": self.a.threads, "our_isa": ours["isa"], "peak_gflops": ours["peak_gflops"],
                             "torch": theirs["torch"], "torch_isa": theirs["isa"], "onednn": theirs["onednn"]})

    def network(self, mode, batch):
        a = self.a
        sizes = ["--batch", batch, "--size", a.size, "--stages", a.stages]
        ours, theirs = self.peers("bench_cpm", [*sizes, "--k", a.joints], "network", [*sizes, "--joints", a.joints])
        show = progress(f"{mode}, batch {batch}")
        with theirs, ours:  # what is missing is PyTorch, more often
            self.note(ours.ready, theirs.ready)
            result = {"mode": mode, "batch": batch, "size": a.size, "stages": a.stages}
            if mode == "forward":
                result["maps_difference"] = check_maps(ours.ask("maps"), theirs.ask("maps"))
            cold = ours.ask(mode), theirs.ask(mode)
            if mode == "step":
                check_step(*cold, first=True)
                result["loss_difference"] = relative(cold[0]["loss"], cold[1]["loss"])

            def each(*pair):
                if mode == "step":
                    check_step(*pair, first=False)
                show(*pair)

            rounds = interleave(lambda: ours.ask(mode), lambda: theirs.ask(mode), a.samples, a.seconds, each)
        return {**result, **summary(rounds)}

    def layers(self):
        """Each result as soon as it is there."""
        a = self.a
        arguments = ["--shapes", a.shapes, "--batch", a.batch, "--direction", a.direction]
        for name in a.layers:
            arguments += ["--shape", name]
        ours, theirs = self.peers("bench_conv", arguments + (["--algo", a.algo] if a.algo else []), "layers", [])
        with theirs, ours:
            self.note(ours.ready, theirs.ready)
            for place, problem in enumerate(ours.ready["problems"]):
                name = f"{problem['name']} {problem['direction']}, batch {problem['N']}"
                request = json.dumps(problem)
                rounds = interleave(lambda: ours.ask(str(place)), lambda: theirs.ask(request), a.samples, a.seconds,
                                    progress(name))
                keys = ("algo", "detail", "error", "flops_effective", "flops_executed", "workspace_bytes")
                yield {**problem, "batch": problem["N"], **{key: rounds[-1][0][key] for key in keys}, **summary(rounds)}


def processor_name():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def memory_gb():
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2 ** 30, 1)


# Tables ---------------------------------------------------------------------------------------------------------------


def milliseconds(seconds):
    ms = seconds * 1e3
    return f"{ms:.{0 if ms >= 1000 else 1 if ms >= 100 else 2 if ms >= 10 else 3}f}"


def side_cells(side):
    return [milliseconds(side["median_s"]), f"{side['iqr_percent']:.1f}",
            f"{side['kept']}/{side['tried']}{'' if side['enough_kept'] else '*'}"]


def ratio_cells(row):
    low, high = row["ratio_low"], row["ratio_high"]
    return [f"{row['ratio']:.2f}", "-" if low is None else f"{low:.2f} to {high:.2f}"]


SIDES = ["ours ms", "IQR %", "kept", "PyTorch ms", "IQR %", "kept", "ratio", "range"]


def network_table(rows):
    megabytes = [[f"{row[side]['peak_rss_mb']:.0f}" for side in ("ours", "pytorch")] for row in rows]
    return (["network", "batch", *SIDES, "ours MB", "PyTorch MB"],
            [[row["mode"], str(row["batch"]), *side_cells(row["ours"]), *side_cells(row["pytorch"]), *ratio_cells(row), *mb]
             for row, mb in zip(rows, megabytes)])


def layer_table(rows):
    return (["shape", "direction", "batch", *SIDES, "row", "detail"],
            [[row["name"], row["direction"], str(row["batch"]), *side_cells(row["ours"]), *side_cells(row["pytorch"]),
              *ratio_cells(row), row["algo"], row["detail"]] for row in rows])


def table(titles, rows, markdown):
    left = {0, 1, len(titles) - 1, len(titles) - 2} if "shape" in titles else {0}
    widths = [max(len(line[i]) for line in [titles, *rows]) for i in range(len(titles))]

    def line(cells):
        padded = [cell.ljust(width) if i in left else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(cells, widths))]
        return f"| {' | '.join(padded)} |" if markdown else "  ".join(padded).rstrip()

    rule = ["-" * width if i in left else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    return "\n".join([line(titles), *([line(rule)] if markdown else []), *map(line, rows)])


def machine_lines(m, a):
    return [f"machine: {m['processor']}, {m['processors']} processors, {m['memory_gb']} GB, {m['system']}",
            f"ours: {m['our_isa']}, {m['threads']} threads, FMA peak {m['peak_gflops']:.0f} GFLOP/s measured here",
            f"PyTorch: {m['torch']}, {m['torch_isa']}, {m['threads']} threads, oneDNN {'yes' if m['onednn'] else 'no'}, "
            f"{m['layout']}, allocator {m['allocator']}",
            f"samples: in turns; kept where (user + system) / wall >= {QUIET} a thread; {a.samples} wanted, "
            f"at most {a.samples * TRIES} tried or {a.seconds:g} s"]


# The command line -----------------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Failure(64, "command line", message, hint="--help")


def whole(least):
    def parse(text):
        value = int(text)
        if value < least:
            raise ValueError
        return value
    parse.__name__ = f"number from {least} on"
    return parse


def parse(arguments):
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    number = whole(1)
    parser.add_argument("--python", required=True, metavar="PYTHON", help="an interpreter that can import torch")
    parser.add_argument("--mode", default=None, metavar="LIST", help="forward, step or both (default both; none with --layers)")
    parser.add_argument("--layers", action="append", default=[], metavar="SHAPE",
                        help="convolutions: a shape or the name of one, as bench_conv's --shape ('*': all); repeatable")
    parser.add_argument("--direction", default="fprop,dgrad,wgrad", metavar="LIST", help="of convolutions (default all)")
    parser.add_argument("--algo", metavar="ROW", help="our row of convolutions (default: the one that training runs)")
    parser.add_argument("--batch", default="1", metavar="LIST", help="batch sizes, as 1,16 (default 1)")
    parser.add_argument("--size", type=number, default=368, metavar="N", help="input side in pixels (default 368)")
    parser.add_argument("--joints", type=number, default=14, metavar="N", help="default 14")
    parser.add_argument("--stages", type=number, default=6, metavar="N", help="1 to 6 (default 6)")
    parser.add_argument("--samples", type=number, default=7, metavar="N", help="kept samples wanted of each (default 7)")
    parser.add_argument("--seconds", type=float, default=300, metavar="S", help="no new round after that (default 300)")
    parser.add_argument("--threads", type=number, default=len(os.sched_getaffinity(0)), metavar="N",
                        help="of both (default: all processors)")
    parser.add_argument("--channels-last", action="store_true", help="PyTorch's tensors in NHWC")
    parser.add_argument("--default-malloc", action="store_true", help="leave PyTorch's allocator as it is")
    parser.add_argument("--bin", type=pathlib.Path, default=HERE.parent / "build/release/bin", metavar="DIR",
                        help="our programs (default build/release/bin)")
    parser.add_argument("--shapes", type=pathlib.Path, default=HERE.parent / "data/shapes/cpm.txt", metavar="FILE",
                        help="named shapes (default data/shapes/cpm.txt)")
    parser.add_argument("--markdown", action="store_true", help="tables as Markdown")
    parser.add_argument("--json", metavar="FILE", help="also write everything, every sample too (-: stdout, tables to stderr)")
    a = parser.parse_args(arguments)
    a.modes = [word for word in ("" if a.layers and a.mode is None else a.mode or "forward,step").split(",") if word]
    if unknown := [mode for mode in a.modes if mode not in ("forward", "step")]:
        raise Failure(64, "--mode", "unknown mode", expected="forward, step or both", got=unknown[0])
    try:
        a.batches = [whole(1)(word) for word in a.batch.split(",")]
    except ValueError:
        raise Failure(64, "--batch", "not a list of batch sizes", expected="numbers, as 1,16", got=a.batch) from None
    return a


def compare(a):
    comparison = Comparison(a)
    results = collections.OrderedDict(machine=comparison.machine, network=[], layers=[])
    for batch in a.batches:
        for mode in a.modes:
            results["network"].append(comparison.network(mode, batch))
    if a.layers:
        results["layers"] = list(comparison.layers())
    return results


def report(results, a):
    start = "- " if a.markdown else ""
    texts = ["\n".join(start + line for line in machine_lines(results["machine"], a))]
    if results["network"]:
        texts.append(table(*network_table(results["network"]), a.markdown))
    if results["layers"]:
        texts.append(table(*layer_table(results["layers"]), a.markdown))
    print("\n\n".join(texts), file=sys.stderr if a.json == "-" else sys.stdout)
    if a.json == "-":
        print(json.dumps(results))
    elif a.json:
        try:
            pathlib.Path(a.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        except OSError as reason:
            raise Failure(73, a.json, "cannot write", got=reason.strerror) from None


def main(arguments=None):
    try:
        a = parse(arguments)
        report(compare(a), a)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return failure.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
