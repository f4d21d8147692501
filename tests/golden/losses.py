"""Writes losses.json: values and gradients of the losses from PyTorch in double precision.

Usage: python3 losses.py > losses.json   (needs torch; the file says which version made it)
"""

import json

import torch
from torch.nn import functional as F


def rows(seed: int, n: int, c: int, scale: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(n, c, generator=generator, dtype=torch.float64) * scale * 1000).round() / 1000


def record(name: str, knobs: dict, student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor) -> dict:
    z = student.clone().requires_grad_(True)
    if name == "ce":
        loss = F.cross_entropy(z, labels, label_smoothing=knobs["smoothing"])
    else:
        t = knobs["temperature"]
        log_target = F.log_softmax(teacher / t, dim=1)
        loss = t * t * F.kl_div(F.log_softmax(z / t, dim=1), log_target, reduction="batchmean", log_target=True)
    loss.backward()
    return {
        "name": name,
        **knobs,
        "student": student.tolist(),
        "teacher": teacher.tolist(),
        "labels": labels.tolist(),
        "value": loss.item(),
        "gradient": z.grad.tolist(),
    }


cases = []
for seed, (n, c, scale) in enumerate([(1, 2, 1.0), (4, 3, 2.0), (5, 10, 4.0), (3, 7, 12.0), (2, 100, 3.0)]):
    student, teacher = rows(2 * seed, n, c, scale), rows(2 * seed + 1, n, c, scale)
    labels = torch.arange(n) % c
    for smoothing in (0.0, 0.1):
        cases.append(record("ce", {"smoothing": smoothing}, student, teacher, labels))
    for temperature in (1.0, 2.0, 4.0, 20.0):
        cases.append(record("kd", {"temperature": temperature}, student, teacher, labels))
print(json.dumps({"made_by": f"losses.py with torch {torch.__version__}", "cases": cases}))
