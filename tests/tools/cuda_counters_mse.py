"""Squared error: y and target once, dy once; the sums of maps on the way are next to nothing."""

from vgpu_counters import FLOAT, Expect

COUNT = 2 * 15 * 46 * 46

TABLE = (
    Expect("count mse: forward", bytes=2 * FLOAT * COUNT, launches=2),
    Expect("count mse: backward", bytes=3 * FLOAT * COUNT),
)
