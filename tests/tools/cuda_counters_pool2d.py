"""Max pooling of the network's windows: x, y and argmax once, plus the rows and pixels at which strips and warps meet."""

from vgpu_counters import FLOAT, Expect


def moved(side, floats_per_output):
    """Bytes of four planes: their input once, and for each output a byte of argmax and some floats."""
    return 4 * (FLOAT * side**2 + (1 + FLOAT * floats_per_output) * (side // 2) ** 2)


TABLE = (
    Expect("count pool2d: max forward", bytes=moved(184, 1), within=1.3),
    Expect("count pool2d: max forward of rows that are no whole sectors", bytes=moved(92, 1), within=1.3),
    Expect("count pool2d: ReLU and max forward", bytes=moved(184, 1), within=1.3),
    Expect("count pool2d: max backward", bytes=moved(184, 1), within=1.3),
    Expect("count pool2d: max backward of rows that are no whole sectors", bytes=moved(92, 1), within=1.3),
    Expect("count pool2d: ReLU and max backward", bytes=moved(184, 2), within=1.3),
)
