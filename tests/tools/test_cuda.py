"""The programs with --device cuda, on the virtual GPU: the CPU's numbers, the same bits again, mistakes told."""

import re
import sys

from support import BATCH, BIN, TINY, Case, main, raw_tensors, read_csv, read_safetensors, run, write_safetensors

VGPU = BIN.parent / "vgpu"
STEPS = 10
TRAINING = ("--data", "synthetic:40", "--steps", STEPS, "--seed", 3, *TINY)


def run_cuda(program, *arguments, **environment):
    return run(program, *arguments, **{"LD_LIBRARY_PATH": str(VGPU), **environment})


class Cuda(Case):
    def cuda(self, program, *arguments, **environment):
        result = run_cuda(program, *arguments, **environment)
        self.assertEqual(result.code, 0, result)
        return result

    def losses(self, run_folder):
        return [float(row["loss"]) for row in read_csv(run_folder / "metrics.csv")[0]]

    def train(self, name, *more):
        out = self.folder / name
        self.cuda("cpm-train", *TRAINING, "--device", "cuda", "--out", out, *more)
        return out

    def test_training(self):
        """The CPU's loss curve to 1e-5; the same bits twice, recorded as a graph or not, and after a resume."""
        host = self.folder / "host"
        self.assertEqual(run("cpm-train", *TRAINING, "--device", "cpu", "--out", host).code, 0)
        first, second = self.train("first"), self.train("second")
        plain = self.train("plain", "--no-cuda-graph")
        expected = self.losses(host)
        self.assertEqual(len(expected), STEPS)
        for got, want in zip(self.losses(first), expected, strict=True):
            self.assertLess(abs(got - want), 1e-5 * want)
        weights = (first / "weights.safetensors").read_bytes()
        self.assertTrue(weights == (second / "weights.safetensors").read_bytes())
        self.assertTrue(weights == (plain / "weights.safetensors").read_bytes())
        self.assertIn("cuda:0 (vgpu", (first / "train.log").read_text(encoding="utf-8"))
        half = self.folder / "half"
        short = [STEPS // 2 if a == STEPS else a for a in TRAINING]
        self.cuda("cpm-train", *short, "--device", "cuda", "--out", half)
        self.cuda("cpm-train", "--resume", half, "--steps", STEPS, "--device", "cuda")
        self.assertTrue(weights == (half / "weights.safetensors").read_bytes())

    def test_eval_infer_grad(self):
        """Trained weights through the other programs: the CPU's answers."""
        weights = self.train("net") / "weights.safetensors"
        evaluation = ("cpm-eval", "--weights", weights, "--data", "synthetic:6", "--json")
        self.assertEqual(self.cuda(*evaluation, "--device", "cuda").out, run(*evaluation, "--device", "cpu").out)
        raw = self.folder / "raw.safetensors"
        write_safetensors(raw, raw_tensors())
        answers = []
        for device in ("cpu", "cuda"):
            out = self.folder / f"{device}.safetensors"
            self.cuda("cpm-grad", "--weights", weights, "--raw-input", raw, "--out", out, "--device", device)
            answers.append(read_safetensors(out)[0])
        host, device = answers
        self.assertEqual(host.keys(), device.keys())
        for name, want in host.items():
            got = device[name].values
            difference = sum((a - b) ** 2 for a, b in zip(got, want.values, strict=True))
            self.assertLessEqual(difference, 1e-10 * sum(b * b for b in want.values), name)

    def test_choice(self):
        """auto never takes a virtual GPU; a device that is not there is error 69."""
        out = self.folder / "auto"
        self.cuda("cpm-train", *[2 if a == STEPS else a for a in TRAINING], "--out", out)
        self.assertIn("device    cpu", (out / "train.log").read_text(encoding="utf-8"))
        for device, expected in (("cuda:7", "cuda:0"), ("cuda", "")):
            environment = {} if expected else {"LD_LIBRARY_PATH": ""}
            result = run_cuda("cpm-train", *TRAINING, "--device", device, "--out", self.folder / "none", **environment)
            if device == "cuda" and result.code == 0:
                continue  # a real device
            self.assertEqual(result.code, 69, result)
            self.assertIn("--device", result.err)
            self.assertIn(expected, result.err)

    def test_memory(self):
        """A step that does not fit is refused with the batch that does; that one runs."""
        training = [8 if a == str(BATCH) else 2 if a == STEPS else a for a in TRAINING]
        refused = run_cuda("cpm-train", *training, "--device", "cuda", "--out", self.folder / "large", VGPU_MEMORY="4M")
        self.assertEqual(refused.code, 64, refused)
        fits = re.search(r"more memory than there is.*hint: --batch (\d+) fits", refused.err)
        self.assertTrue(fits, refused.err)
        training[training.index(8)] = fits[1]
        self.cuda("cpm-train", *training, "--device", "cuda", "--out", self.folder / "fits", VGPU_MEMORY="4M")

    def test_build_for_another_device(self):
        """Kernels that the device cannot run show before anything else, with what to do; blocking launches work."""
        result = run_cuda("cpm-train", *TRAINING, "--device", "cuda", "--out", self.folder / "old", VGPU_CC="75")
        self.assertEqual(result.code, 69, result)
        self.assertIn("CPM_CUDA_ARCHITECTURES", result.err)
        two = [2 if a == STEPS else a for a in TRAINING]
        self.cuda("cpm-train", *two, "--device", "cuda", "--out", self.folder / "slow", CPM_CUDA_BLOCKING="1")

    def test_bench(self):
        result = self.cuda("bench_cpm", "--size", 32, "--width", "0.0625", "--stages", 2, "--samples", 2, "--json", "--device",
                           "cuda")
        self.assertIn('"losses"', result.out)


if __name__ == "__main__":
    if not (BIN.parent / "tests/kernels_cuda_tests").is_file():
        print("SKIPPED: this build has no CUDA backend")
        sys.exit(77)
    main()
