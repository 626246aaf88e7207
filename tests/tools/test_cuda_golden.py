"""cpm-grad --device cuda, on the virtual GPU, against PyTorch in float64: data/golden/two_stages_48x80, losses, norms and
samples of every parameter's gradient. cpm_tests writes the named weights and input."""

import json
import math
import os
import subprocess
import sys

from support import BIN, LIMIT, SOURCE, Case, command, main, read_safetensors

LOSS_BOUND, GRADIENT_BOUND = 1e-6, 1e-5  # tests/support/golden.h, kSmall
TESTS = BIN.parent / "tests"


class CudaGolden(Case):
    def call(self, words, **environment):
        done = subprocess.run(list(map(str, words)), env={**os.environ, **environment}, capture_output=True, text=True,
                              timeout=LIMIT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_two_stages(self):
        golden = json.loads((SOURCE / "data/golden/two_stages_48x80.json").read_text(encoding="utf-8"))
        self.call([TESTS / "cpm_tests", "[write-golden]"], CPM_GOLDEN_OUT=str(self.folder))
        out = self.folder / "gradients.safetensors"
        text = self.call(command("cpm-grad", "--weights", self.folder / "weights.safetensors", "--raw-input",
                                 self.folder / "raw.safetensors", "--out", out, "--device", "cuda", "--json"),
                         LD_LIBRARY_PATH=str(BIN.parent / "vgpu"))
        losses = json.loads(text)["loss"]
        self.assertEqual(len(losses), len(golden["loss"]))
        for got, want in zip(losses, golden["loss"]):
            self.assertLessEqual(abs(got / want - 1), LOSS_BOUND)
        gradients = read_safetensors(out)[0]
        del gradients["loss"]
        self.assertEqual(gradients.keys(), golden["supervised"].keys())
        for name, want in golden["supervised"].items():
            values = gradients[name].values
            norm = math.sqrt(math.fsum(v * v for v in values))
            self.assertLessEqual(abs(norm / want["norm"] - 1), GRADIENT_BOUND, name)
            wrong = math.dist([values[i] for i in want["index"]], want["value"])
            self.assertLessEqual(wrong, GRADIENT_BOUND * math.hypot(*want["value"]), name)


if __name__ == "__main__":
    if not (TESTS / "cpm_cuda_tests").is_file():
        print("SKIPPED: this build has no CUDA backend")
        sys.exit(77)
    main()
