"""Statistics of a gradient: both launches together read it once, 16 bytes an access; the parts between them are small."""

from vgpu_counters import FLOAT, Expect

BYTES = FLOAT * 2 * (7 * 7 * 128 * 128 + 128)  # tests/kernels_cuda/reduce_test.cpp

TABLE = (
    Expect("count reduce: statistics", bytes=BYTES, launches=2),
    Expect("count reduce: histograms", bytes=BYTES, launches=2),
)
