"""ReLU: every byte once, 16 bytes an access."""

from vgpu_counters import FLOAT, Expect

COUNT = 64 * 46 * 46
WIDE = {"sectors_per_load": 16, "sectors_per_store": 16}

TABLE = (
    Expect("count relu: forward", bytes=2 * FLOAT * COUNT, equal=WIDE),
    Expect("count relu: backward", bytes=3 * FLOAT * COUNT, equal=WIDE),
)
