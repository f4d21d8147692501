"""How many bytes LiteRT writes for a network of the pipeline: built in Keras, every weight and activation in int8, uint8 outside.

Usage: litert_bytes.py MODEL SHAPE CLASSES, as in '{"name": "resnet-8", "filters": 16}' 3,32,32 10. Prints one JSON object.
Weights are seeded noise: the size does not depend on them. Needs TensorFlow.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy
import tensorflow as tf

layers = tf.keras.layers
spec, shape, classes = json.loads(sys.argv[1]), [int(side) for side in sys.argv[2].split(",")], int(sys.argv[3])
image = tf.keras.Input((shape[1], shape[2], shape[0]))


def normed(x, layer):
    return layers.BatchNormalization()(layer(x))


def conv(x, filters, kernel, strides=1):
    return normed(x, layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False))


def cnn(x):
    for filters in spec["filters"]:
        x = layers.MaxPooling2D()(layers.Conv2D(filters, 3, activation="relu")(x))
    x = layers.Flatten()(x)
    return layers.Dense(spec["dense"], activation="relu")(x) if spec.get("dense") else x


def ds_cnn(x):
    x = layers.ReLU()(conv(x, spec["filters"], 3, 2))
    for _ in range(spec["blocks"]):
        x = layers.ReLU()(normed(x, layers.DepthwiseConv2D(3, padding="same", use_bias=False)))
        x = layers.ReLU()(conv(x, spec["filters"], 1))
    return layers.GlobalAveragePooling2D()(x)


def resnet_8(x):
    x = layers.ReLU()(conv(x, spec["filters"], 3))
    for multiple, strides in ((1, 1), (2, 2), (4, 2)):
        filters = spec["filters"] * multiple
        second = conv(layers.ReLU()(conv(x, filters, 3, strides)), filters, 3)
        shortcut = x if strides == 1 else layers.Conv2D(filters, 1, strides, padding="same")(x)
        x = layers.ReLU()(layers.Add()([shortcut, second]))
    return layers.GlobalAveragePooling2D()(x)


body = {"cnn": cnn, "ds-cnn": ds_cnn, "resnet-8": resnet_8}[spec["name"]](image)
model = tf.keras.Model(image, layers.Dense(classes)(body))
noise = numpy.random.default_rng(1)
for layer in model.layers:
    # Vectors are biases and statistics: positive, so that no variance is below zero.
    weights = [noise.uniform(0.1, 1, w.shape) if w.ndim == 1 else noise.normal(0, 0.1, w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)


def samples():
    for _ in range(8):
        yield [noise.random((1, *model.input_shape[1:]), dtype=numpy.float32)]


converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = samples
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.uint8
print(json.dumps({"bytes": len(converter.convert()), "version": tf.__version__}))
