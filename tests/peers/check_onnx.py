"""Holds ONNX files against onnx's own checker, with strict and complete shape inference.

Usage: check_onnx.py FILE...   Prints one JSON object a file: its path, opset, number of nodes and the inferred output shapes.
"""

import json
import sys

import onnx


def check(path: str) -> dict:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    typed = {value.name for value in [*inferred.graph.value_info, *inferred.graph.output]}
    untyped = [name for node in inferred.graph.node for name in node.output if name not in typed]
    if untyped:
        raise SystemExit(f"{path}: no type for {untyped}")
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in inferred.graph.output
    }
    return {"path": path, "opset": model.opset_import[0].version, "nodes": len(model.graph.node), "outputs": shapes}


for file in sys.argv[1:]:
    print(json.dumps(check(file)))
