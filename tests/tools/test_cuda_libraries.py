"""The rows of cuDNN and cuBLAS in the programs, on the virtual GPU and its stand-ins for the libraries: named by a flag they
compute the same network, and only where it is allowed do they take algorithms whose results vary."""

import json
import sys

from support import BIN, TINY, Case, main
from test_cuda import VGPU, run_cuda

STANDINS = VGPU / "standins"
LIBRARIES = f"{VGPU}:{STANDINS}"
BENCH = ("bench_cpm", "--size", 32, "--width", "0.0625", "--stages", 2, "--samples", 1, "--mode", "step", "--json", "--device",
         "cuda")
TRAINING = ("--data", "synthetic:40", "--steps", 1, *TINY, "--device", "cuda")


class CudaLibraries(Case):
    def cuda(self, *arguments, **environment):
        result = run_cuda(*arguments, **environment)
        self.assertEqual(result.code, 0, result)
        return result

    def test_bench_by_a_named_row(self):
        """The losses of our rows to rounding; a row that cannot run is told, not timed."""
        want = json.loads(self.cuda(*BENCH).out)["losses"][0]
        self.error(run_cuda(*BENCH, "--algo", "cudnn.bst"), 64, "--algo", "did you mean cudnn.best?")
        self.error(run_cuda(*BENCH, "--algo", "cudnn.best"), 69, "--algo", "cudnn.best")
        for row, done in (("cudnn.best", "46 of 46"), ("cublas.gemm", "12 of 46")):
            result = self.cuda(*BENCH, "--algo", row, "--no-cuda-graph", LD_LIBRARY_PATH=LIBRARIES)
            self.assertIn(f"{row}: {done} convolutions\n", result.err)
            self.assertLess(abs(json.loads(result.out)["losses"][0] / want - 1), 1e-6)

    def test_deterministic_training(self):
        """The key and the flag, in the run's header."""
        vary = ("--set", "train.deterministic=false")
        for i, (arguments, word) in enumerate((((), ""), (vary, ", results may vary from run to run"),
                                               ((*vary, "--deterministic"), ""))):
            out = self.folder / str(i)
            self.cuda("cpm-train", *TRAINING, "--out", out, *arguments)
            log = (out / "train.log").read_text(encoding="utf-8")
            self.assertIn(f"device    cuda:0 (vgpu (virtual GPU on the CPU)){word}\n", log)

    def test_deterministic_benchmark(self):
        """The stand-in's algorithms that vary need no scratch memory, those that do not need some."""
        scratch = []
        for arguments in ((), ("--no-deterministic",)):
            result = self.cuda("bench_conv", "--device", "cuda", "--algo", "cudnn.best", "--shape", "ic3ih9_oc4oh9_kh3",
                               "--json", "-", *arguments, LD_LIBRARY_PATH=LIBRARIES)
            scratch.append({row["direction"]: row["workspace_bytes"] for row in json.loads(result.out)})
        strict, free = scratch
        self.assertEqual(strict["fprop"], free["fprop"])
        for direction in ("dgrad", "wgrad"):
            self.assertGreater(strict[direction], 0)
            self.assertEqual(free[direction], 0)


if __name__ == "__main__":
    if not (BIN.parent / "tests/kernels_libs_tests").is_file():
        print("SKIPPED: this build has no CUDA backend, or no cuDNN and cuBLAS headers")
        sys.exit(77)
    main()
