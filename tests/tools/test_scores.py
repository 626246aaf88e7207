"""PCK, PCKh and OKS computed anew, from the definitions alone: data/golden/scores.json holds people, predictions and these
results, and tests/cpm/score_test.cpp holds the program to them. Here the file must be what this program computes.

usage: test_scores.py [--write]   (--write: makes the file)"""

import json
import math
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from support import SOURCE, numbers  # noqa: E402

FILE = SOURCE / "data/golden/scores.json"
SIGMAS = [.26, .25, .25, .35, .35, .79, .79, .72, .72, .62, .62, 1.07, 1.07, .87, .87, .89, .89]
COCO = {"joints": 17, "left_shoulder": 5, "right_hip": 12, "images": [1, 4, 23, 2, 1], "seed": 1}
MPII = {"joints": 16, "left_shoulder": 13, "right_hip": 2, "images": [3, 4, 2, 5], "seed": 2}


def make_people(joints, images, seed, **_):
    """People with small whole coordinates; predictions lie from very near to far off, some beside another person."""
    people = []
    for image, count in enumerate(images):
        for person in range(count):
            draw = iter(numbers(1000 * seed + 31 * image + person, 8 * joints + 20))
            size = 30 + 170 * next(draw)
            off = next(draw) ** 3 * size
            left, top = 500 * next(draw), 300 * next(draw)
            truth, found, scores = [], [], []
            bare = next(draw) < 0.2
            for joint in range(joints):
                x, y = round(left + size * next(draw)), round(top + size * next(draw))
                v = int(next(draw) * 3.6 - 0.3) if not bare or joint % 3 == 0 else 0
                truth.append([x, y, max(0, min(2, v))])
                found.append([round(x + off * (next(draw) - 0.5)), round(y + off * (next(draw) - 0.5))])
                scores.append(round(next(draw), 2))
            if all(v == 0 for _, _, v in truth):
                truth[0][2] = 2
            people.append({"image": f"{image}.jpg", "truth": truth, "found": found, "scores": scores,
                           "area": round(size * size * (0.2 + next(draw))),
                           "head": round(size * 0.1, 2) if next(draw) > 0.2 else 0})
            if person % 5 == 4:  # two people of an image are taken for each other
                people[-1]["found"], people[-2]["found"] = people[-2]["found"], people[-1]["found"]
    return people


def share_right(people, joints, unit, threshold):
    right, count = [0] * joints, [0] * joints
    for person in people:
        length = unit(person)
        if length is None:
            continue
        for j, ((x, y, v), (fx, fy)) in enumerate(zip(person["truth"], person["found"])):
            if v > 0:
                count[j] += 1
                right[j] += math.dist((x, y), (fx, fy)) <= threshold * length
    return right, count


def pck(people, threshold, joints, left_shoulder, right_hip, **_):
    def torso(person):
        a, b = person["truth"][left_shoulder], person["truth"][right_hip]
        return math.dist(a[:2], b[:2]) if a[2] and b[2] else None
    right, count = share_right(people, joints, torso, threshold)
    fractions = [r / c for r, c in zip(right, count) if c]
    return {"mean": sum(fractions) / len(fractions), "count": sum(count), "right": right, "per_joint_count": count}


def pckh(people, threshold, joints, **_):
    right, count = share_right(people, joints, lambda person: person["head"] or None, threshold)
    scored = [j for j in range(joints) if j not in (6, 7)]
    total = sum(count[j] for j in scored)
    return {"mean": sum(right[j] for j in scored) / total, "count": total, "right": right, "per_joint_count": count}


def similarity(person, found):
    """OKS of a prediction to a person."""
    terms = [math.exp(-((fx - x) ** 2 + (fy - y) ** 2) / (2 * (person["area"] + 2.0 ** -52) * (2 * sigma / 10) ** 2))
             for (x, y, v), (fx, fy), sigma in zip(person["truth"], found, SIGMAS) if v > 0]
    return sum(terms) / len(terms)


def average_precision(people, threshold):
    ranking = []
    for image in sorted({person["image"] for person in people}):
        here = [person for person in people if person["image"] == image]
        confidence = [sum(person["scores"]) / len(person["scores"]) for person in here]
        order = sorted(range(len(here)), key=lambda i: -confidence[i])[:20]
        free = set(range(len(here)))
        for i in order:
            reached = [(similarity(here[g], here[i]["found"]), g) for g in free]
            best = max([pair for pair in reached if pair[0] >= threshold], default=None)
            if best:
                free.remove(best[1])
            ranking.append((confidence[i], best is not None))
    ranking.sort(key=lambda pair: -pair[0])
    points, right = [], 0
    for n, (_, is_right) in enumerate(ranking, 1):
        right += is_right
        points.append((right / len(people), right / (n + 2.0 ** -52)))
    return sum(max((p for r, p in points if r >= i * 0.01), default=0) for i in range(101)) / 101


def oks(people, joints):
    thresholds = [0.5 + i * ((0.95 - 0.5) / 9) for i in range(10)]
    ap = [average_precision(people, threshold) for threshold in thresholds]
    per_joint = []
    for j in range(joints):
        terms = [similarity({**person, "truth": [[*person["truth"][j][:2], 2 if k == j else 0] for k in range(joints)]},
                            person["found"]) for person in people if person["truth"][j][2]]
        per_joint.append(sum(terms) / len(terms) if terms else 0)
    return {"mean": sum(ap) / 10, "ap": ap, "count": len(people), "per_joint": per_joint,
            "mean_oks": sum(similarity(person, person["found"]) for person in people) / len(people)}


def compute():
    coco, mpii = make_people(**COCO), make_people(**MPII)
    return {"coco": {"people": coco, "oks": oks(coco, COCO["joints"]), "pck": pck(coco, 0.2, **COCO)},
            "mpii": {"people": mpii, "pckh": pckh(mpii, 0.5, **MPII), "pck": pck(mpii, 0.2, **MPII)}}


class Scores(unittest.TestCase):
    def test_the_file_is_this_computation(self):
        kept, made = json.loads(FILE.read_text(encoding="utf-8")), compute()
        for name in ("coco", "mpii"):
            self.assertEqual(kept[name]["people"], made[name]["people"])
            for metric in set(made[name]) - {"people"}:
                for key, value in made[name][metric].items():
                    same = kept[name][metric][key]
                    for a, b in zip(*((v if isinstance(v, list) else [v]) for v in (value, same))):
                        self.assertAlmostEqual(a, b, delta=1e-12, msg=f"{name} {metric} {key}")

    def test_it_tells_right_from_wrong(self):
        """Neither all right nor all wrong, for the comparison to mean something."""
        result = compute()
        self.assertGreaterEqual(len(set(result["coco"]["oks"]["ap"])), 5)
        for name, metric in (("coco", "oks"), ("coco", "pck"), ("mpii", "pckh")):
            self.assertTrue(0.2 < result[name][metric]["mean"] < 0.95, (name, metric, result[name][metric]))


if __name__ == "__main__":
    if "--write" in sys.argv:
        FILE.write_text(json.dumps(compute(), separators=(",", ":")).replace('{"image"', '\n{"image"') + "\n", encoding="utf-8")
    else:
        unittest.main()
