"""The other side of tools/compare_pytorch.py: the same network and the same convolutions in PyTorch, timed one sample at a
time. It answers every line of standard input with a line of JSON, as bench_cpm --on-request and bench_conv --on-request do.

usage: pytorch_peer.py network --batch N --size S --joints K --stages N --threads N [--channels-last]
         requests: forward, step (Adam): {"seconds", "busy", "peak_rss_mb"}, a step also "loss" and "grad_norm";
         maps: some elements of each stage's belief maps
       pytorch_peer.py layers --threads N [--channels-last]
         requests: a problem as bench_conv lists it, with its direction: {"seconds", "busy"} of one call

"busy" is (user + system) / wall time a thread. Weights and inputs are filled by name (engine/nn/named_fill.h)."""

import argparse
import json
import math
import resource
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except Exception as reason:  # whatever a broken installation raises
    told = " ".join(f"{type(reason).__name__}: {reason}".split())
    print(f"error: --python: PyTorch cannot be imported | expected: an interpreter that can import torch | "
          f"got: {sys.executable}: {told} | hint: pip install torch there", file=sys.stderr)
    sys.exit(69)

SHORTEST, MOST_CALLS = 0.02, 100_000  # seconds of a layer's sample, and calls in it: as bench_conv has them
MAP_ELEMENTS = 1024                   # of each stage, evenly spaced: as bench_cpm has it
LEARNING_RATE = 1e-5
WORD = (1 << 64) - 1


def signed(word):
    return word - (1 << 64) if word >> 63 else word


def uniform01(name, count):
    """splitmix64 from the 64-bit FNV-1a of the name, the top 24 bits of each draw; torch has no unsigned shift."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) & WORD
    z = torch.arange(1, count + 1, dtype=torch.int64) * signed(0x9E3779B97F4A7C15) + signed(state)

    def shifted(bits):
        return (z >> bits) & ((1 << (64 - bits)) - 1)

    z = (z ^ shifted(30)) * signed(0xBF58476D1CE4E5B9)
    z = (z ^ shifted(27)) * signed(0x94D049BB133111EB)
    z = z ^ shifted(31)
    return shifted(40).double() * 2.0 ** -24


def named_fill(name, shape, low, high):
    return (low + (high - low) * uniform01("golden/" + name, math.prod(shape))).float().reshape(shape)


class Network(torch.nn.Module):
    """Convolutional Pose Machines (Wei et al., CVPR 2016) with the reference's layer names: image [N, 3, H, W] and center
    [N, 1, H, W] to one [N, joints + 1, H/8, W/8] a stage."""

    def __init__(self, joints, stages):
        super().__init__()
        self.stages = stages
        maps = joints + 1

        def conv(name, into, out, kernel):
            self.add_module(name, torch.nn.Conv2d(into, out, kernel, padding=kernel // 2))

        for stage in range(1, stages + 1):
            if stage <= 2:
                for i, into in ((1, 3), (2, 128), (3, 128)):
                    conv(f"conv{i}_stage{stage}", into, 128, 9)
            conv(self.features_name(stage), 128, 32, 5)
            if stage == 1:
                conv("conv5_stage1", 32, 512, 9)
                conv("conv6_stage1", 512, 512, 1)
                conv("conv7_stage1", 512, maps, 1)
                continue
            for i, into, out, kernel in ((1, 33 + maps, 128, 11), (2, 128, 128, 11), (3, 128, 128, 11), (4, 128, 128, 1),
                                         (5, 128, maps, 1)):
                conv(f"Mconv{i}_stage{stage}", into, out, kernel)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                bound = 0.05 if name.endswith("bias") else math.sqrt(6 / math.prod(parameter.shape[1:]))
                parameter.copy_(named_fill(name, tuple(parameter.shape), -bound, bound))

    @staticmethod
    def features_name(stage):
        return f"conv{4 if stage <= 2 else 1}_stage{stage}"

    def relu(self, name, x):
        return F.relu(getattr(self, name)(x), inplace=True)

    def trunk(self, image, stage):
        for i in (1, 2, 3):
            image = F.max_pool2d(self.relu(f"conv{i}_stage{stage}", image), 3, 2, 1)
        return image

    def forward(self, image, center):
        x = self.trunk(image, 1)
        for name in ("conv4_stage1", "conv5_stage1", "conv6_stage1"):
            x = self.relu(name, x)
        beliefs = [self.conv7_stage1(x)]
        if self.stages > 1:
            pooled, shared = F.avg_pool2d(center, 9, 8, 1), self.trunk(image, 2)
        for stage in range(2, self.stages + 1):
            x = torch.cat([self.relu(self.features_name(stage), shared), beliefs[-1], pooled], 1)
            for i in (1, 2, 3, 4):
                x = self.relu(f"Mconv{i}_stage{stage}", x)
            beliefs.append(getattr(self, f"Mconv5_stage{stage}")(x))
        return beliefs


def adam(parameters):
    """The fused one where this PyTorch has it for the CPU: it is the faster."""
    try:
        return torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True)
    except (TypeError, RuntimeError):
        return torch.optim.Adam(parameters, lr=LEARNING_RATE)


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(call):
    """Seconds of wall time, and (user + system) / wall a thread. Before and after it workers get a moment to fall asleep:
    while they look for work they are charged to nobody yet."""
    time.sleep(0.0003)
    used, start = processor_seconds(), time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    time.sleep(0.0003)
    return {"seconds": seconds, "busy": (processor_seconds() - used) / seconds / torch.get_num_threads()}


class NetworkBench:
    def __init__(self, a):
        shape, maps = (a.batch, 1, a.size, a.size), a.joints + 1
        self.network = Network(a.joints, a.stages)
        self.image = named_fill("image", (a.batch, 3, a.size, a.size), -0.5, 0.5)
        self.center = named_fill("center", shape, 0, 1)
        self.target = named_fill("target", (a.batch, maps, a.size // 8, a.size // 8), 0, 1)
        if a.channels_last:
            self.network = self.network.to(memory_format=torch.channels_last)
            self.image = self.image.contiguous(memory_format=torch.channels_last)
        self.optimizer = self.loss = None

    def forward(self):
        with torch.no_grad():
            return self.network(self.image, self.center)

    def step(self):
        self.optimizer.zero_grad()
        beliefs = self.network(self.image, self.center)
        loss = sum(((maps - self.target) ** 2).sum() for maps in beliefs) / (2 * self.target.shape[0])
        loss.backward()
        self.optimizer.step()
        self.loss = loss.item()

    def answer(self, request):
        if request == "maps":
            flat = [maps.contiguous().flatten() for maps in self.forward()]
            return {f"stage{i}": maps[::-(-maps.numel() // MAP_ELEMENTS)].tolist() for i, maps in enumerate(flat, 1)}
        if request == "step" and self.optimizer is None:
            self.optimizer = adam(self.network.parameters())
        sample = timed({"forward": self.forward, "step": self.step}[request])
        sample["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if request == "step":
            squares = sum(p.grad.double().square().sum() for p in self.network.parameters())
            sample.update(loss=self.loss, grad_norm=math.sqrt(squares.item()))
        return sample


class LayerBench:
    """One convolution at a time: fprop with its bias, dgrad and wgrad by themselves."""

    def __init__(self, a):
        self.format = torch.channels_last if a.channels_last else torch.contiguous_format
        self.request = self.call = self.calls = None

    def random(self, *shape):
        return (torch.rand(shape) * 2 - 1).contiguous(memory_format=self.format)

    def prepare(self, request):
        p = json.loads(request)
        stride, padding = [p["stride"]] * 2, [p["pad_h"], p["pad_w"]]
        x, w = self.random(p["N"], p["C"], p["H"], p["W"]), self.random(p["K"], p["C"], p["R"], p["S"])
        w /= math.sqrt(p["C"] * p["R"] * p["S"])
        bias = torch.rand(p["K"])
        dy = self.random(*F.conv2d(x, w, None, stride, padding).shape)

        def backward(mask):
            return torch.ops.aten.convolution_backward(dy, x, w, None, stride, padding, [1, 1], False, [0, 0], 1, mask)

        self.call = {"fprop": lambda: F.conv2d(x, w, bias, stride, padding),
                     "dgrad": lambda: backward([True, False, False]),
                     "wgrad": lambda: backward([False, True, False])}[p["direction"]]
        self.call()
        seconds = timed(self.call)["seconds"]
        self.calls = min(max(math.ceil(SHORTEST / seconds), 1), MOST_CALLS)
        self.request = request

    def many(self):
        for _ in range(self.calls):
            self.call()

    def answer(self, request):
        with torch.no_grad():
            if request != self.request:
                self.call = None  # frees the last problem's tensors first
                self.prepare(request)
            sample = timed(self.many)
        return {**sample, "seconds": sample["seconds"] / self.calls, "calls": self.calls}


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("kind", choices=("network", "layers"))
    for flag in ("--batch", "--size", "--joints", "--stages", "--threads"):
        parser.add_argument(flag, type=int)
    parser.add_argument("--channels-last", action="store_true")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    bench = NetworkBench(a) if a.kind == "network" else LayerBench(a)
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(),
                      "onednn": torch.backends.mkldnn.is_available(),
                      "isa": torch.backends.cpu.get_cpu_capability()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(bench.answer(line.strip())), flush=True)


if __name__ == "__main__":
    main()
