"""Data sets of drawn people in the forms of COCO and MPII, and MAT-files with structs: made here byte by byte."""

import json
import struct
from pathlib import Path

from support import figure, mat_element, numbers, picture

# Places of the 14 joints of support.figure.
COCO_FROM_LSP = (12, 12, 12, 13, 13, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0)
MPII_FROM_LSP = (0, 1, 2, 3, 4, 5, 2, 12, 12, 13, 6, 7, 8, 9, 10, 11)
COCO_NAMES = ("nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
              "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle").split()
MPII_NAMES = ("right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top right_wrist "
              "right_elbow right_shoulder left_shoulder left_elbow left_wrist").split()
WIDTH, HEIGHT = 120, 110


def people(images=3, each=2):
    """(image name, joints of figure()) of every person, image by image; writes nothing."""
    return [(f"im{i}.png", [(round(x), round(y)) for x, y in figure(40 + 40 * k, 55 - 2 * i, 60 + 5 * i)])
            for i in range(images) for k in range(each)]


def write_images(folder, everybody):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted({name for name, _ in everybody}):
        joints = [place for image, person in everybody if image == name for place in person]
        (folder / name).write_bytes(picture(WIDTH, HEIGHT, joints[:14], seed=len(name)))


def coco(everybody):
    """COCO's form: the third joint of every second person has no label, the fourth is occluded; a crowd and a person without
    a label at the end."""
    images = sorted({name for name, _ in everybody})
    annotations = []
    for n, (name, joints) in enumerate(everybody):
        keypoints = []
        for j, place in enumerate(COCO_FROM_LSP):
            x, y = joints[place]
            keypoints += [0, 0, 0] if j == 2 and n % 2 else [x + (j % 3), y, 1 if j == 3 else 2]
        xs, ys = [x for x, _ in joints], [y for _, y in joints]
        box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        annotations.append({"id": 900 + n, "image_id": 50 + images.index(name), "category_id": 1, "iscrowd": 0,
                            "area": 0.6 * box[2] * box[3], "bbox": box, "num_keypoints": 17 - n % 2, "keypoints": keypoints,
                            "segmentation": [[1, 2, 3, 4.5]]})
    annotations.append({**annotations[0], "id": 1, "iscrowd": 1, "segmentation": {"counts": [1, 2], "size": [9, 9]}})
    annotations.append({**annotations[0], "id": 2, "num_keypoints": 0, "keypoints": [0] * 51})
    return {"info": {"year": 2026}, "licenses": [],
            "images": [{"id": 50 + i, "file_name": name, "width": WIDTH, "height": HEIGHT} for i, name in enumerate(images)],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "person", "keypoints": COCO_NAMES, "skeleton": [[16, 14], [14, 12], [6, 7]]}]}


def mpii(everybody):
    """HRNet's form; joint 3 of every second person is missing."""
    records = []
    for n, (name, joints) in enumerate(everybody):
        places = [[joints[place][0] + 1 + (j % 2), joints[place][1] + 1] for j, place in enumerate(MPII_FROM_LSP)]
        visible = [0 if j == 3 and n % 2 else 1 for j in range(16)]
        ys = [y for _, y in joints]
        records.append({"image": name, "center": [joints[2][0] + 1, joints[2][1] + 1], "scale": (max(ys) - min(ys)) / 180,
                        "joints": [place if v else [-1, -1] for place, v in zip(places, visible)], "joints_vis": visible,
                        "headbox": [joints[13][0] - 5, joints[13][1], joints[13][0] + 6, joints[13][1] + 13]})
    return records


def write_coco(folder):
    """coco.json and its images; the SPEC."""
    write_images(folder / "images", people())
    (folder / "coco.json").write_text(json.dumps(coco(people())), encoding="utf-8")
    return f"coco:{folder / 'coco.json'},{folder / 'images'}"


def write_mpii(folder):
    write_images(folder / "images", people())
    (folder / "mpii.json").write_text(json.dumps(mpii(people())), encoding="utf-8")
    return f"mpii:{folder / 'mpii.json'},{folder / 'images'}"


def large_coco(records):
    """Text of a COCO file with `records` persons, two an image, about 1.2 kB each as in the official files."""
    draw = numbers(5, 4096, 0, 600)
    outline = ", ".join(f"{v:.2f}" for v in draw[:60])
    yield '{"info": {}, "images": ['
    for i in range((records + 1) // 2):
        yield (f'{", " if i else ""}{{"license": 4, "file_name": "{i:012}.jpg", "height": 480, "width": 640, "id": {i},'
               f' "coco_url": "http://images.cocodataset.org/train/{i:012}.jpg", "date_captured": "2013-11-14 11:18:45"}}')
    yield '], "annotations": ['
    joints = [", ".join(f"{draw[(7 * n + 2 * j) % 4000]:.0f}, {draw[(7 * n + 2 * j + 1) % 4000]:.0f}, {(n + j) % 3}"
                        for j in range(17)) for n in range(997)]
    for n in range(records):
        yield (f'{", " if n else ""}{{"segmentation": [[{outline}]], "num_keypoints": 11, "area": {1000 + n % 977}.5, '
               f'"iscrowd": 0, "keypoints": [{joints[n % 997]}], "image_id": {n // 2}, "bbox": [{n % 400}, 20.5, 100.25, 300], '
               f'"category_id": 1, "id": {n}}}')
    yield '], "categories": []}'


def large_mpii(records):
    """Text of the release's form with `records` persons and one other each."""
    draw = numbers(6, 4096, 1, 600)
    yield "["
    joints = [", ".join(f"[{draw[(5 * n + 2 * j) % 4000]:.3f}, {draw[(5 * n + 2 * j + 1) % 4000]:.3f}, 1.000]"
                        for j in range(16)) for n in range(997)]
    for n in range(records):
        mine, other = joints[n % 997], joints[(n + 20) % 997]
        yield (f'{", " if n else ""}{{"dataset": "MPI", "isValidation": 0.000, "img_paths": "{n // 2:09}.jpg", '
               f'"img_width": 1280.000, "img_height": 720.000, "objpos": [594.000, 257.000], "joint_self": [{mine}], '
               f'"scale_provided": 3.021, "joint_others": [{other}], "scale_provided_other": 2.5, "objpos_other": [1.5, 2], '
               f'"annolist_index": {n}.000, "people_index": 1.000, "numOtherPeople": 1.000}}')
    yield "]"


# MAT-files with structs --------------------------------------------------------------------------------------------


class Cell(list):
    pass


def mat_array(value, name="", storage=None):
    """An element: a number, a list of numbers (a row), text, a Cell (a column), a dictionary or a list of dictionaries (struct
    array, a row), or None (an empty array). `storage` is the type numbers are stored by: 2 for uint8."""
    def matrix(kind, dims, rest):
        return mat_element(14, mat_element(6, struct.pack("<II", kind, 0)) +
                           mat_element(5, struct.pack(f"<{len(dims)}i", *dims)) + mat_element(1, name.encode()) + rest)
    if isinstance(value, str):
        return matrix(4, [1, len(value)], mat_element(4, value.encode("utf-16-le")))
    if isinstance(value, Cell):
        return matrix(1, [len(value), 1], b"".join(map(mat_array, value)))
    if isinstance(value, dict):
        value = [value]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        fields = list(dict.fromkeys(key for one in value for key in one))
        names = b"".join(field.encode().ljust(32, b"\0") for field in fields)
        return matrix(2, [1, len(value)], struct.pack("<IHH", 5 | 4 << 16, 32, 0) + mat_element(1, names) +
                      b"".join(mat_array(one.get(field)) for one in value for field in fields))
    values = [] if value is None else value if isinstance(value, list) else [value]
    small = storage == 2 or (values and all(isinstance(v, int) and 0 <= v < 256 for v in values))
    data = mat_element(2, bytes(values)) if small else mat_element(9, struct.pack(f"<{len(values)}d", *values))
    return matrix(6, [1, len(values)] if values else [0, 0], data)


def pack_structs(name, value):
    return b"MATLAB 5.0 MAT-file".ljust(116) + b"\0" * 8 + struct.pack("<H", 0x0100) + b"IM" + mat_array(value, name)


def release():
    """A RELEASE of four images with what the official file has: no annorect, no annopoints, no objpos, is_visible missing,
    a number or a digit, ids out of order."""
    def points(shift, count=16, visible=1):
        return {"point": [{"x": 10.5 * j + shift, "y": 7 * j + 30.25, "id": j, **({} if visible is None else {"is_visible": visible})}
                          for j in reversed(range(count))]}
    head = {"x1": 20, "y1": 30, "x2": 60, "y2": 300}
    full = {**head, "annopoints": points(1.5), "scale": 3.25, "objpos": {"x": 594, "y": 257}}
    annolist = [
        {"image": {"name": "015601864.jpg"}, "annorect": [full, {**full, "annopoints": points(40, 12, "0")}], "vidx": 1},
        {"image": {"name": "empty.jpg"}, "annorect": None},
        {"image": {"name": "test.jpg"}, "annorect": [{"scale": 2, "objpos": {"x": 5, "y": 6}}]},
        {"image": {"name": "odd.jpg"}, "annorect": [{**head, "annopoints": None}, {**head, "annopoints": points(7, 9, None)},
                                                    {**full, "annopoints": points(90, 16, "1"), "objpos": None}]}]
    return {"annolist": annolist, "img_train": [1, 1, 0, 1], "single_person": Cell([[1, 2], None, None, 3]),
            "version": "12"}
