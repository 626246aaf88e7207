"""Fill, copy and add: every byte once, 16 bytes an access."""

from vgpu_counters import FLOAT, Expect

COUNT = 64 * 46 * 46

TABLE = (
    Expect("count copy: fill", bytes=FLOAT * COUNT, equal={"sectors_per_store": 16, "bytes_loaded": 0}),
    Expect("count copy: copy", bytes=2 * FLOAT * COUNT, equal={"sectors_per_load": 16, "sectors_per_store": 16}),
    Expect("count copy: add", bytes=3 * FLOAT * COUNT, equal={"sectors_per_load": 16, "sectors_per_store": 16}),
)
