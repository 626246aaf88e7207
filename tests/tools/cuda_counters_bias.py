"""The bias gradient reads dy once; with the ReLU it reads y and dy and writes dz in the same pass."""

from vgpu_counters import FLOAT, Expect

COUNT = 2 * 16 * 46 * 46
SHARED = {"shared_passes_per_load": 2, "shared_passes_per_store": 2}  # doubles without bank conflicts

TABLE = (
    Expect("count bias: backward", bytes=FLOAT * COUNT, at_most=SHARED),
    Expect("count bias: ReLU and bias", bytes=3 * FLOAT * COUNT, at_most=SHARED),
)
