"""Times an ONNX file in Python's onnxruntime, as an outside yardstick for `distillate bench`.

Usage: time_onnx.py FILE THREADS SECONDS   Prints one JSON object: p50 and p90 in milliseconds, runs, version.
Noise of one sample in; the batch and other open dimensions are 1.
"""

import json
import sys
import time

import numpy
import onnxruntime

path, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
random = numpy.random.default_rng(1)
feeds = {
    value.name: random.random([side if isinstance(side, int) else 1 for side in value.shape], dtype=numpy.float32)
    for value in session.get_inputs()
}
warm_until = time.perf_counter() + 0.3
while time.perf_counter() < warm_until:
    session.run(None, feeds)
samples = []
begin = time.perf_counter()
while True:
    before = time.perf_counter()
    session.run(None, feeds)
    after = time.perf_counter()
    samples.append(1000 * (after - before))
    if after - begin > seconds:
        break
p50, p90 = numpy.quantile(samples, [0.5, 0.9])
print(json.dumps({"p50": p50, "p90": p90, "runs": len(samples), "version": onnxruntime.__version__}))
