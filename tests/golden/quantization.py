"""Writes quantization.json: ranges, scales, zero points and integers, computed with NumPy from the formulas alone.

Written from the definitions (ONNX' QuantizeLinear, the headers of packages/export/src/quantize), independently of that code: sorted
values instead of counts, whole arrays instead of loops.
Usage: python3 quantization.py > quantization.json   (needs numpy; the file says which version made it)
"""

import json

import numpy as np

BINS = 4096


def tensors() -> dict:
    """Five shapes of activations, 8 samples of 250 values, all multiples of 2^-10."""
    random = np.random.default_rng(7)
    gauss = random.normal(0, 1, (8, 250))
    outlier = np.abs(random.normal(0, 0.5, (8, 250)))
    outlier[3, 7] = 40
    found = {
        "relu": np.maximum(gauss, 0),
        "signed": gauss * 3 + 1,
        "heavy-tails": random.standard_t(2, (8, 250)),
        "one outlier": outlier,
        "small steps": random.integers(0, 20, (8, 250)) / 16,
        "negative": -np.abs(gauss),
    }
    return {name: np.round(values * 1024) / 1024 for name, values in found.items()}


def binned(values: np.ndarray):
    """Bin edges are multiples of the least power of two for which all bins from min to max, with zero, are at most BINS."""
    low, high = min(0, values.min()), max(0, values.max())
    exponent = -80
    while np.floor(high / 2.0**exponent) - np.floor(low / 2.0**exponent) >= BINS:
        exponent += 1
    width = 2.0**exponent
    first, last = int(np.floor(low / width)), int(np.floor(high / width))
    counts = np.bincount((np.floor(values.ravel() / width) - first).astype(int), minlength=last - first + 1).astype(float)
    return low, high, width, first, counts


def min_max(values):
    return min(0, values.min()), max(0, values.max())


def moving_average(values, momentum=0.99):
    low = high = 0.0
    for n, sample in enumerate(values, 1):
        rate = max(1 / n, 1 - momentum)
        low += rate * (min(0, sample.min()) - low)
        high += rate * (max(0, sample.max()) - high)
    return low, high


def percentile(values, percent=99.99):
    """At most half of the rest lies beyond either end; ends lie on bin edges, but not beyond what was seen."""
    low, high, width, _, _ = binned(values)
    ordered = np.sort(values.ravel())
    spare = int(np.floor(len(ordered) * (1 - percent / 100) / 2 + 1e-9))
    # The outermost bins that can go whole are those below the bin of the first value that must stay.
    lower = np.floor(ordered[spare] / width) * width
    upper = (np.floor(ordered[len(ordered) - 1 - spare] / width) + 1) * width
    return min(0, max(low, lower)), max(0, min(high, upper))


def mse(values, levels=255, steps=128):
    low, high, width, first, counts = binned(values)
    middles = (first + np.arange(len(counts)) + 0.5) * width
    zeros = (values == 0).sum()
    shares = np.arange(steps, 0, -1) / steps
    best = None
    for a in (shares * low if low < 0 else [0.0]):
        for b in (shares * high if high > 0 else [0.0]):
            below = middles < a if low < 0 else np.zeros(len(counts), bool)
            above = middles > b if high > 0 else np.zeros(len(counts), bool)
            step = (b - a) / levels
            inner = counts[~below & ~above].sum() - zeros
            error = inner * step**2 / 12
            error += (counts[below] * (middles[below] - a) ** 2).sum() + (counts[above] * (middles[above] - b) ** 2).sum()
            if best is None or error < best[0] * (1 - 1e-12):
                best = (error, a, b)
    return best[1], best[2]


def entropy(values, levels=256, candidates=256):
    low, high, width, first, counts = binned(values)
    counts[-first] -= (values == 0).sum()
    reach = max(-first, first + len(counts))
    step = max(1, int(np.ceil((reach - levels / 2) / candidates)))
    best, t = None, reach
    while t >= min(reach, levels // 2):
        start, end = max(0, -t - first), min(len(counts), t - first)
        kept = counts[start:end]
        if kept.sum() > 0:
            edges = np.floor(np.arange(levels + 1) * (len(kept) / levels)).astype(int)
            edges[-1] = min(len(kept), edges[-1])
            level = np.searchsorted(edges[1:], np.arange(edges[-1]), side="right")
            sums = np.bincount(level, kept[: edges[-1]], levels)
            some = kept[: edges[-1]] > 0
            filled = np.bincount(level, some, levels)
            # What is cut stays in P, where Q has a millionth of a value.
            q = np.concatenate([sums[level[some]] / filled[level[some]], np.full((counts > 0).sum() - some.sum(), 1e-6)]) / kept.sum()
            cut = np.concatenate([counts[:start], counts[end:]])
            r = np.concatenate([kept[: edges[-1]][some], cut[cut > 0]]) / counts.sum()
            divergence = (r * np.log(r / q)).sum()
            if best is None or divergence < best[0] - 1e-12:
                best = (divergence, max(low, -t * width), min(high, t * width))
        t -= step
    return best[1], best[2]


def affine(low, high, largest):
    scale = np.float32((max(0, high) - min(0, low)) / largest)
    return float(scale), int(np.clip(np.rint(-min(0, low) / np.float64(scale)), 0, largest))


def weight_case(seed, shape, axis, per_channel, limit, input_scale):
    random = np.random.default_rng(seed)
    weight = (np.round(random.normal(0, 0.3, shape) * 4096) / 4096).astype(np.float32)
    bias = (np.round(random.normal(0, 0.5, shape[axis]) * 4096) / 4096).astype(np.float32)
    rest = tuple(i for i in range(len(shape)) if i != axis)
    magnitude = np.abs(weight).max(axis=rest, keepdims=True) if per_channel else np.abs(weight).max(keepdims=True)
    scales = (magnitude.astype(np.float64) / limit).astype(np.float32)
    bias_scales = (scales.ravel().astype(np.float64) * input_scale).astype(np.float32)
    return {
        "shape": shape,
        "axis": axis,
        "perChannel": per_channel,
        "limit": limit,
        "inputScale": input_scale,
        "weight": weight.ravel().tolist(),
        "bias": bias.tolist(),
        "scales": scales.ravel().tolist(),
        "integers": np.rint(weight / scales.astype(np.float64)).astype(int).ravel().tolist(),
        "biasScales": bias_scales.tolist(),
        "biasIntegers": np.rint(bias / bias_scales.astype(np.float64)).astype(int).tolist(),
    }


CALIBRATORS = {
    "min-max": min_max,
    "moving-average": moving_average,
    "percentile": percentile,
    "entropy": entropy,
    "mse": mse,
}
activations = []
for name, values in tensors().items():
    ranges = {}
    for kind, calibrator in CALIBRATORS.items():
        low, high = (float(end) for end in calibrator(values))
        ranges[kind] = {"min": low, "max": high}
        ranges[kind]["uint8"] = dict(zip(("scale", "zero"), affine(low, high, 255)))
        ranges[kind]["uint16"] = dict(zip(("scale", "zero"), affine(low, high, 65535)))
    activations.append({"name": name, "samples": len(values), "values": values.ravel().tolist(), "ranges": ranges})
input_scale = float(np.float32(0.0123))
weights = [
    weight_case(1, (4, 3, 3, 3), 0, True, 127, input_scale),
    weight_case(2, (4, 3, 3, 3), 0, False, 127, input_scale),
    weight_case(3, (6, 5), 1, True, 127, input_scale),
    weight_case(4, (8, 1, 3, 3), 0, True, 63, input_scale),
]
print(json.dumps({"made_by": f"quantization.py with numpy {np.__version__}", "activations": activations, "weights": weights}))
