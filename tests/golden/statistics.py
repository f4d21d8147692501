"""Writes statistics.json: what NumPy says of seeded samples, for packages/bench.

Usage: python3 tests/golden/statistics.py   (NumPy 1.26; the generator's stream is part of its promise)
"""

import json
from pathlib import Path

import numpy

random = numpy.random.Generator(numpy.random.PCG64(8))
cases = []
for count in (1, 2, 7, 64, 199, 200, 1000, 1003):
    samples = numpy.round(1 + random.lognormal(0, 0.6, count), 6)
    median = numpy.median(samples)
    deviation = numpy.median(numpy.abs(samples - median))
    percentile = {
        f"p{int(100 * share)}": float(numpy.quantile(samples, share))
        for share in (0.5, 0.9, 0.95, 0.99)
    }
    cases.append(
        {
            "samples": samples.tolist(),
            **percentile,
            "mean": float(samples.mean()),
            "mad": float(deviation),
            "outliers": int((samples > median + 5 * deviation).sum()),
        }
    )

# A block bootstrap of the ratio of two medians, straight from its definition.
base = [numpy.round(1 + random.gamma(2, 0.1, 20), 6) for _ in range(30)]
head = [numpy.round(1.05 + random.gamma(2, 0.1, 20), 6) for _ in range(30)]
ratios = {"independent": [], "paired": []}
for _ in range(10_000):
    left = random.integers(0, 30, 30)
    right = random.integers(0, 30, 30)
    for name, other in (("independent", right), ("paired", left)):
        ratios[name].append(
            float(
                numpy.quantile(numpy.concatenate([head[i] for i in other]), 0.5, method="inverted_cdf")
                / numpy.quantile(numpy.concatenate([base[i] for i in left]), 0.5, method="inverted_cdf")
            )
        )
intervals = {name: numpy.quantile(values, [0.025, 0.975]).tolist() for name, values in ratios.items()}
path = Path(__file__).with_suffix(".json")
content = {"cases": cases, "base": [b.tolist() for b in base], "head": [h.tolist() for h in head], "intervals": intervals}
path.write_text(json.dumps(content) + "\n")
