"""Training throughput of PyTorch, for `pnpm bench:train --peers`: the nets of packages/train/bench/models.ts.

Usage: train_torch.py MODEL SECONDS   Prints one JSON object: images a second and CPU milliseconds a step (medians), steps, version.
Channels last, on all cores.
"""

import json
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 64


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def cnn(first=16, second=32, hidden=120):
    return nn.Sequential(
        nn.Conv2d(1, first, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(25 * second, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 10),
    )


def ds_cnn():
    stack = [nn.Conv2d(1, 64, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    for _ in range(4):
        stack += [
            nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Conv2d(64, 64, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
        ]
    return nn.Sequential(*stack, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Stage(nn.Module):
    def __init__(self, before, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, filters, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(filters)
        self.shortcut = nn.Conv2d(before, filters, 1, stride=stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.shortcut(x) + y)


def resnet_8():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        Stage(16, 16, 1),
        Stage(16, 32, 2),
        Stage(32, 64, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


MODELS = {
    "mlp": ((1, 28, 28), mlp, None),
    "cnn": ((1, 28, 28), cnn, None),
    "ds-cnn": ((1, 28, 28), ds_cnn, None),
    "resnet-8": ((3, 32, 32), resnet_8, None),
    "distillation": ((1, 28, 28), cnn, lambda: cnn(32, 64, 256)),
}

shape, build, build_teacher = MODELS[sys.argv[1]]
seconds = float(sys.argv[2])
torch.manual_seed(7)
torch.set_num_threads(os.cpu_count())
model = build().to(memory_format=torch.channels_last)
teacher = build_teacher().to(memory_format=torch.channels_last).eval() if build_teacher else None
optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-7)
inputs = torch.randn(BATCH, *shape).contiguous(memory_format=torch.channels_last)
labels = torch.arange(BATCH) % 10
TEMPERATURE = 4.0


def step():
    optimizer.zero_grad(set_to_none=True)
    logits = model(inputs)
    loss = F.cross_entropy(logits, labels)
    if teacher is not None:
        with torch.no_grad():
            soft = F.log_softmax(teacher(inputs) / TEMPERATURE, -1)
        ours = F.log_softmax(logits / TEMPERATURE, -1)
        divergence = F.kl_div(ours, soft, reduction="batchmean", log_target=True)
        loss = 0.1 * loss + 0.9 * TEMPERATURE**2 * divergence
    loss.backward()
    optimizer.step()
    return loss.item()


for _ in range(5):
    step()
times = []
started, cpu = time.perf_counter(), time.process_time()
while time.perf_counter() - started < seconds or len(times) < 3:
    before = time.perf_counter()
    loss = step()
    times.append(time.perf_counter() - before)
cpu = (time.process_time() - cpu) / len(times)
median = sorted(times)[len(times) // 2]
print(
    json.dumps(
        {
            "imagesPerSecond": BATCH / median,
            "cpuMilliseconds": 1000 * cpu,
            "steps": len(times),
            "parameters": sum(p.numel() for p in model.parameters()),
            "loss": loss,
            "version": f"{torch.__version__}, {torch.get_num_threads()} threads",
        }
    )
)
