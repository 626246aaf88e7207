"""TensorBoard's event files, read by their description alone (tensorboard/summary/writer/record_writer.py and the .proto
files), so that nothing of the project checks itself."""

import pathlib
import struct


def crc32c(data):
    """Bit by bit, from the polynomial."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def records(data):
    """Messages of the records of a file and how many bytes of a torn one are left over."""
    found = []
    at = 0
    while at + 12 <= len(data):
        size, crc = struct.unpack_from("<QI", data, at)
        if at + 16 + size > len(data):
            break
        assert crc == masked(data[at:at + 8]), at
        message = data[at + 12:at + 12 + size]
        if size < 20000:  # of pictures, this program would take seconds
            assert struct.unpack_from("<I", data, at + 12 + size)[0] == masked(message), at
        found.append(message)
        at += 16 + size
    return found, len(data) - at


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """field number -> contents, in order."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if kind == 2:
                size, at = varint(data, at)
            value = data[at:at + size]
            assert len(value) == size
            at += size
        found.setdefault(key >> 3, []).append(value)
    return found


def double(data):
    return struct.unpack("<d", data)[0]


def doubles(data):
    return list(struct.unpack(f"<{len(data) // 8}d", data))


def float32(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


class Events:
    """What the event files of a folder tell, in the order in which TensorBoard reads them."""

    def __init__(self, run):
        self.files = sorted(path for path in pathlib.Path(run).iterdir() if "tfevents" in path.name)
        self.scalars, self.histograms, self.images, self.starts = {}, {}, {}, []
        self.left_over = []
        for path in self.files:
            messages, left = records(path.read_bytes())
            self.left_over.append(left)
            if not messages:  # a disk that was full from the beginning
                continue
            first = fields(messages[0])
            assert set(first) == {1, 3} and first[3] == [b"brain.Event:2"], first
            for message in messages[1:]:
                self.take(fields(message))

    def take(self, event):
        step = event.get(2, [0])[0]
        assert 1.6e9 < double(event[1][0]) < 1e10
        if 7 in event:
            assert fields(event[7][0]) == {1: [1]}
            self.starts.append(step)
            for series in (self.scalars, self.histograms, self.images):
                for values in series.values():
                    values[:] = [entry for entry in values if entry[0] < step]
            return
        for value in fields(event[5][0]).get(1, []):
            value = fields(value)
            tag = value[1][0].decode()
            if 2 in value:
                self.scalars.setdefault(tag, []).append((step, struct.unpack("<f", value[2][0])[0]))
            elif 4 in value:
                self.images.setdefault(tag, []).append((step, fields(value[4][0])))
            else:
                self.histograms.setdefault(tag, []).append((step, fields(value[5][0])))
