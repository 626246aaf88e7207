"""Convolutions: nothing that computes or copies meets a bank conflict, and each kernel moves little more than its tiles must.

What must move, in floats, over all blocks and parts (part: a share of the sum, kept apart until conv_sum_parts adds them up):
  conv_direct_correlate  for each block: in every channel of its part the pixels inside the image that its tile of outputs
                         meets, and tile_k R S weights; every part: all outputs
  conv_direct_wgrad      for each block and piece of dy: the piece, 8 k_warps channels of it, and the pixels of x that it meets, in
                         each channel of the block's 32 (8 / k_warps) kernel rows (c, r); every part: all weights
  conv_gemm              for each block: 64 rows of one factor and 128 columns of the other; every part: all outputs
  conv_direct_pack, conv_sum_parts  what they read and write, once; beside it the bias: a sector a warp
Rows of outputs begin anywhere, too: 46 x 46 maps are stored in pieces of 16 floats that lie in three sectors instead of two.

Copies of 4 bytes read rows of an image, which begin anywhere: a request of n floats takes n / 8 sectors and at times one more,
fewer at a row's end and at the image's rim. (4 sectors for 16 + 8 floats of halo, a rim of 4: 3.3 on average.) Copies of 16 bytes read packed weights: S tile_k / 4 threads, whose
last warp is half full."""

import math

from vgpu_counters import FLOAT, Expect

SIDE = 46


def met(size, out_size, tile, kernel, pad):
    """Pixels of an axis inside the image that tiles of outputs meet, summed over the tiles."""
    return sum(min(size, min(first + tile, out_size) - pad + kernel - 1) - max(0, first - pad) for first in range(0, out_size, tile))


def correlate(case, channels, outputs, width, tile, parts, size=(SIDE, SIDE), pack_within=1.05, wide=0.0):
    """The launches of a fprop or dgrad of outputs = tile_k = 64: packing, the correlation, the sum of its parts."""
    (height, cols), (tile_rows, tile_cols), pad, taps = size, tile, width // 2, width * width
    tiles = math.ceil(height / tile_rows) * math.ceil(cols / tile_cols)
    pixels = met(height, height, tile_rows, width, pad) * met(cols, cols, tile_cols, width, pad)
    weights = channels * outputs * taps
    maps = outputs * height * cols
    warps = width * 64 / 4 / 32
    return (
        Expect(case, "conv_direct_pack", bytes=FLOAT * 2 * weights, within=pack_within, equal={"bank_conflicts": 0}),
        Expect(case, "conv_direct_correlate", bytes=FLOAT * (channels * pixels + tiles * weights + parts * maps), within=1.25,
               equal={"bank_conflicts": 0, "blocks": tiles * parts, "sectors_per_16_byte_copy": 16 * warps / math.ceil(warps)},
               at_most={"sectors_per_4_byte_copy": wide}),
        Expect(case, "conv_sum_parts", bytes=FLOAT * (parts + 1) * maps, within=1.15),
    )


def weight_gradient(case, channels, outputs, width, segment, parts, sectors):
    """The launches of a wgrad with k_warps = 8, outputs = 64: the sums and the sum of their parts."""
    pad, rows, weights = width // 2, channels * width, channels * outputs * width * width
    planes = sum((min(first + 32, rows) - 1) // width - first // width + 1 for first in range(0, rows, 32))
    blocks = math.ceil(rows / 32)
    x = planes * met(SIDE, SIDE, 2, width, pad) * met(SIDE, SIDE, segment, width, pad)
    dy = blocks * outputs * SIDE**2
    return (
        Expect(case, "conv_direct_wgrad", bytes=FLOAT * (x + dy + parts * weights), within=1.15,
               equal={"bank_conflicts": 0, "blocks": blocks * parts}, at_most={"sectors_per_4_byte_copy": sectors}),
        Expect(case, "conv_sum_parts", bytes=FLOAT * (parts + 1) * weights),
    )


def gemm(case, rows, cols, depth, parts, sectors, within, sum_within=1.15):
    row_blocks, col_blocks = math.ceil(rows / 64), math.ceil(cols / 128)
    moved = col_blocks * rows * depth + row_blocks * cols * depth + parts * rows * cols
    return (
        Expect(case, "conv_gemm", bytes=FLOAT * moved, within=within,
               equal={"bank_conflicts": 0, "blocks": row_blocks * col_blocks * parts}, at_most={"sectors_per_4_byte_copy": sectors}),
        Expect(case, "conv_sum_parts", bytes=FLOAT * (parts + 1) * rows * cols, within=sum_within),
    )


SQUARE, WIDE = (16, 16), (8, 32)

# dgrad packs weights that it turns: runs of R S floats, which begin anywhere, are read backwards.
# wgrad of conv_gemm reads slices of 8 pixels, one sector, from rows of 46 x 46 floats: every other row begins amid a sector, and its
# slices meet two, of which the next slice takes the other half out of L1. Longer slices would meet fewer, but turning them
# into [depth][row] would meet bank conflicts: 32 banks take 4 rows of 8.
TABLE = (
    *correlate("count conv2d: direct fprop 9x9", 64, 64, 9, SQUARE, parts=29, wide=3.4),
    *correlate("count conv2d: direct fprop 9x9 on wide tiles", 64, 64, 9, WIDE, parts=32, size=(16, 32), wide=2),
    *correlate("count conv2d: direct dgrad 9x9", 64, 64, 9, SQUARE, parts=29, pack_within=1.16, wide=3.4),
    *weight_gradient("count conv2d: direct wgrad 9x9", 64, 64, 9, segment=24, parts=11, sectors=3.8),
    *correlate("count conv2d: direct fprop 11x11", 32, 64, 11, SQUARE, parts=16, wide=3.9),
    *correlate("count conv2d: direct dgrad 11x11", 32, 64, 11, SQUARE, parts=16, pack_within=1.16, wide=3.9),
    *weight_gradient("count conv2d: direct wgrad 11x11", 32, 64, 11, segment=24, parts=11, sectors=3.4),
    *gemm("count conv2d: gemm fprop", 128, SIDE**2, 128, parts=2, sectors=4.3, within=1.11, sum_within=1.22),
    *gemm("count conv2d: gemm dgrad", 128, SIDE**2, 128, parts=2, sectors=4.3, within=1.11),
    *gemm("count conv2d: gemm wgrad", 128, 128, SIDE**2, parts=33, sectors=6, within=1.31),
)
