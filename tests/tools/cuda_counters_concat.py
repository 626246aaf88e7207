"""Concat and split: every byte once, 16 bytes an access. Maps with an odd number of pixels move float by float, where a
request of a warp reaches into a fifth sector that the next one uses, too: no byte is asked for twice."""

from vgpu_counters import FLOAT, Expect

BLOCKS = 2 * 15
COUNT, ODD = BLOCKS * 46 * 46, BLOCKS * 47 * 47

TABLE = (
    Expect("count concat: forward", bytes=2 * FLOAT * COUNT),
    Expect("count concat: backward", bytes=2 * FLOAT * COUNT),
    Expect("count concat: backward that accumulates", bytes=3 * FLOAT * COUNT),
    Expect("count concat: forward of odd maps", bytes=2 * FLOAT * ODD, within=1.1,
           equal={"global.bytes_read": FLOAT * ODD, "global.bytes_written": FLOAT * ODD}),
)
