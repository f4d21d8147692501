"""Nodes of an ONNX file before and after onnxslim, by op: slim_onnx.py FILE"""
import collections
import json
import sys

import onnx
import onnxslim

model = onnx.load(sys.argv[1])
ops = lambda m: dict(collections.Counter(node.op_type for node in m.graph.node))
print(json.dumps({"before": ops(model), "after": ops(onnxslim.slim(model))}))
