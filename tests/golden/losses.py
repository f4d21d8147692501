"""Writes losses.json: values and gradients of the losses from PyTorch in double precision.

Written from the papers' formulas (cross-entropy and KL from PyTorch itself), independently of packages/train.
Usage: python3 losses.py > losses.json   (needs torch; the file says which version made it)
"""

import json

import torch
from torch.nn import functional as F


def rows(seed: int, shape: tuple, scale: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(*shape, generator=generator, dtype=torch.float64) * scale * 1000).round() / 1000


def kd(s, t, y, temperature, standardize=False):
    if standardize:
        s, t = ((z - z.mean(1, keepdim=True)) / (1e-7 + z.std(1, unbiased=True, keepdim=True)) for z in (s, t))
    target = F.log_softmax(t / temperature, dim=1)
    return temperature**2 * F.kl_div(F.log_softmax(s / temperature, dim=1), target, reduction="batchmean", log_target=True)


def dkd(s, t, y, alpha, beta, temperature):
    total = 0
    for z, w, label in zip(s / temperature, t / temperature, y.tolist()):
        others = [c for c in range(len(z)) if c != label]
        p, q = torch.softmax(z, 0), torch.softmax(w, 0)
        binary = [torch.stack([x[label], x[others].sum()]) for x in (p, q)]
        target_term = (binary[1] * (binary[1] / binary[0]).log()).sum()
        among = [torch.log_softmax(x[others], 0) for x in (z, w)]
        total = total + alpha * target_term + beta * (among[1].exp() * (among[1] - among[0])).sum()
    return temperature**2 * total / len(s)


def dist(s, t, y, beta, gamma, temperature):
    def pearson(a, b):
        a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
        return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-8)).mean()

    p, q = torch.softmax(s / temperature, 1), torch.softmax(t / temperature, 1)
    return temperature**2 * (beta * (1 - pearson(p, q)) + gamma * (1 - pearson(p.T, q.T)))


def at(s, t):
    maps = [F.normalize(f.pow(2).mean(3).flatten(1), dim=1) for f in (s, t)]
    return (maps[0] - maps[1]).pow(2).mean()


def sp(s, t):
    grams = [F.normalize(f.flatten(1) @ f.flatten(1).T, dim=1) for f in (s, t)]
    return (grams[0] - grams[1]).pow(2).sum() / len(s) ** 2


def rkd(s, t, distance, angle):
    def relations(f):
        f = f.mean((1, 2))
        n = len(f)
        lengths = {(i, j): (f[i] - f[j]).norm() for i in range(n) for j in range(n) if i != j}
        mean = sum(lengths.values()) / len(lengths)
        zero = f.sum() * 0
        distances = torch.stack([lengths[i, j] / mean if i != j else zero for i in range(n) for j in range(n)])
        unit = {(i, j): (f[j] - f[i]) / lengths[i, j] for (i, j) in lengths}
        angles = [
            unit[i, j] @ unit[i, k] if i != j and i != k else zero for i in range(n) for j in range(n) for k in range(n)
        ]
        return distances, torch.stack(angles)

    (d_s, a_s), (d_t, a_t) = relations(s), relations(t)
    return distance * F.smooth_l1_loss(d_s, d_t) + angle * F.smooth_l1_loss(a_s, a_t)


ON_LOGITS = {
    "ce": (lambda s, t, y, smoothing: F.cross_entropy(s, y, label_smoothing=smoothing), [{"smoothing": 0.0}, {"smoothing": 0.1}]),
    "kd": (kd, [{"temperature": t} for t in (1.0, 2.0, 4.0, 20.0)] + [{"temperature": 2.0, "standardize": True}]),
    "mse": (lambda s, t, y: F.mse_loss(s, t), [{}]),
    "dkd": (dkd, [{"alpha": 1.0, "beta": 8.0, "temperature": t} for t in (1.0, 4.0)]),
    "dist": (dist, [{"beta": 1.0, "gamma": 1.0, "temperature": 1.0}, {"beta": 2.0, "gamma": 2.0, "temperature": 4.0}]),
    "hard": (lambda s, t, y: F.cross_entropy(s, t.argmax(1)), [{}]),
}
ON_FEATURES = {
    "at": (at, {}),
    "fitnet": (lambda s, t: F.mse_loss(s, t), {}),
    "rkd": (rkd, {"distance": 25.0, "angle": 50.0}),
    "sp": (sp, {}),
}
# What teaches nothing with two classes is refused before it gets here.
DEGENERATE = {"dkd", "dist"}


def record(name: str, knobs: dict, student, teacher, labels, loss) -> dict:
    z = student.clone().requires_grad_(True)
    value = loss(z)
    value.backward()
    sides = {"student": student.tolist(), "teacher": teacher.tolist(), "labels": labels.tolist()}
    return {"name": name, "knobs": knobs, **sides, "value": value.item(), "gradient": z.grad.tolist()}


cases = []
for seed, (n, c, scale) in enumerate([(1, 2, 1.0), (4, 3, 2.0), (5, 10, 4.0), (3, 7, 12.0), (6, 50, 3.0)]):
    student, teacher = rows(2 * seed, (n, c), scale), rows(2 * seed + 1, (n, c), scale)
    labels = torch.arange(n) % c
    for name, (loss, settings) in ON_LOGITS.items():
        for knobs in settings:
            if c > 2 or not (name in DEGENERATE or knobs.get("standardize")):
                cases.append(record(name, knobs, student, teacher, labels, lambda z: loss(z, teacher, labels, **knobs)))
for seed, (n, size, ours, theirs) in enumerate([(2, 2, 3, 3), (5, 3, 4, 6)]):
    for name, (loss, knobs) in ON_FEATURES.items():
        channels = ours if name == "fitnet" else theirs
        student = rows(100 + seed, (n, size, size, ours), 1.0)
        teacher = rows(200 + seed, (n, size, size, channels), 1.0)
        cases.append(record(name, knobs, student, teacher, torch.zeros(n), lambda z: loss(z, teacher, **knobs)))
print(json.dumps({"made_by": f"losses.py with torch {torch.__version__}", "cases": cases}))
