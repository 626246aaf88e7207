"""The triad that measures bandwidth: every byte once, 16 bytes an access."""

from vgpu_counters import FLOAT, Expect

TABLE = (Expect("count peaks: triad", bytes=3 * FLOAT * 64 * 1024, equal={"sectors_per_load": 16, "sectors_per_store": 16}),)
