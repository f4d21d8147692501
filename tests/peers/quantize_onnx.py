"""Quantises an ONNX file with onnxruntime.quantization, as its documentation does: QDQ, on samples from a .npy file.

Usage: quantize_onnx.py MODEL.onnx SAMPLES.npy OUT.onnx METHOD [--per-channel] [--activations QUInt8|QInt8]
METHOD is MinMax, MovingAverage, Percentile or Entropy. Prints one JSON object: the version.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("samples")
parser.add_argument("out")
parser.add_argument("method", choices=["MinMax", "MovingAverage", "Percentile", "Entropy"])
parser.add_argument("--per-channel", action="store_true")
parser.add_argument("--activations", default="QInt8", choices=["QInt8", "QUInt8"])
args = parser.parse_args()


class Reader(CalibrationDataReader):
    """One sample at a time: the histogram calibrators keep all activations of a reader in memory."""

    def __init__(self, name: str, samples: numpy.ndarray):
        self.batches = iter([{name: samples[i : i + 1]} for i in range(len(samples))])

    def get_next(self):
        return next(self.batches, None)


with tempfile.TemporaryDirectory() as place:
    prepared = str(Path(place) / "prepared.onnx")
    quant_pre_process(args.model, prepared)
    session = onnxruntime.InferenceSession(args.model, providers=["CPUExecutionProvider"])
    reader = Reader(session.get_inputs()[0].name, numpy.load(args.samples))
    method = {
        "MinMax": CalibrationMethod.MinMax,
        "MovingAverage": CalibrationMethod.MinMax,
        "Percentile": CalibrationMethod.Percentile,
        "Entropy": CalibrationMethod.Entropy,
    }[args.method]
    quantize_static(
        prepared,
        args.out,
        reader,
        quant_format=QuantFormat.QDQ,
        per_channel=args.per_channel,
        activation_type=QuantType[args.activations],
        weight_type=QuantType.QInt8,
        calibrate_method=method,
        extra_options={"CalibMovingAverage": True} if args.method == "MovingAverage" else {},
    )
print(json.dumps({"version": onnxruntime.__version__}))
