"""Times an ONNX file in Python's onnxruntime, as an outside yardstick for `distillate bench`.

Usage: time_onnx.py FILE THREADS   Prints "ready"; then, for each line with a number of milliseconds, a JSON list: the milliseconds of
each call in that time. Noise of one sample in; the batch and other open dimensions are 1.
"""

import json
import sys
import time

import numpy
import onnxruntime

path, threads = sys.argv[1], int(sys.argv[2])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
random = numpy.random.default_rng(1)
feeds = {
    value.name: random.random([side if isinstance(side, int) else 1 for side in value.shape], dtype=numpy.float32)
    for value in session.get_inputs()
}


def block(milliseconds):
    samples = []
    begin = time.perf_counter()
    while True:
        before = time.perf_counter()
        session.run(None, feeds)
        after = time.perf_counter()
        samples.append(1000 * (after - before))
        if 1000 * (after - begin) > milliseconds:
            return samples


block(300)
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(block(float(line))), flush=True)
