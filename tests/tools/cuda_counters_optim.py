"""The optimisers: every byte once, 16 bytes an access; beside that the table of segments, searched once a block."""

from vgpu_counters import FLOAT, Expect

COUNT = 20 * (9 * 9 * 256 + 128)  # tests/kernels_cuda/optim_test.cpp
WIDE = {"sectors_per_store": 16}

TABLE = (
    Expect("count optim: sgd", bytes=3 * FLOAT * COUNT, equal=WIDE),
    Expect("count optim: momentum", bytes=5 * FLOAT * COUNT, equal=WIDE),
    Expect("count optim: adam", bytes=7 * FLOAT * COUNT, equal=WIDE),
)
