"""Trains a classifier of Fashion-MNIST elsewhere, for a run that brings its teacher along, and writes what its own runtime says.

Usage: brought_teacher.py torch|keras DATA OUT [EPOCHS]   DATA holds the four idx files (.gz). OUT gets

    teacher.onnx    of torch: input 1x28x28, ((pixel / 255) - 0.2860) / 0.3530
    model.json      of keras: a tfjs GraphModel, input 28x28x1, pixel / 255; its frozen graph, and the weights beside it
    logits.npy      its logits on the test images, by PyTorch or TensorFlow

Prints one JSON object with its accuracy. Needs requirements-training.txt, and onnx for torch.

Usage: brought_teacher.py compare OUT RUN   prints how far a logit of the teacher that RUN (of `distillate run`) brought along
                                            is from what its own runtime says, at most.
"""

import gzip
import json
import os
import sys

import numpy as np

MEAN, DEVIATION = 0.2860, 0.3530
BATCH = 64


def read(data, name, header):
    with gzip.open(os.path.join(data, name + ".gz")) as file:
        return np.frombuffer(file.read()[header:], np.uint8)


def load(data):
    parts = {}
    for part, name in [("train", "train"), ("test", "t10k")]:
        images = read(data, f"{name}-images-idx3-ubyte", 16).reshape(-1, 28, 28)
        parts[part] = images.astype(np.float32) / 255, read(data, f"{name}-labels-idx1-ubyte", 8).astype(np.int64)
    return parts


def torch_teacher(parts, out, epochs):
    # Here and not above: PyTorch and TensorFlow do not load into one process.
    import torch
    from torch import nn

    torch.manual_seed(1)
    images, labels = parts["train"]
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(800, 120), nn.ReLU(), nn.Dropout(0.3), nn.Linear(120, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (len(images) // BATCH))
    x, y = torch.from_numpy((images[:, None] - MEAN) / DEVIATION), torch.from_numpy(labels)
    for _ in range(epochs):
        for rows in torch.randperm(len(x))[: len(x) // BATCH * BATCH].reshape(-1, BATCH):
            batch = x[rows]
            if torch.rand(()) < 0.5:
                batch = batch.flip(3)
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(batch), y[rows]).backward()
            optimizer.step()
            schedule.step()

    net.eval()
    normalised = torch.from_numpy((parts["test"][0][:, None] - MEAN) / DEVIATION)
    torch.onnx.export(
        net, (normalised[:1],), os.path.join(out, "teacher.onnx"), dynamo=False, opset_version=17,
        input_names=["pixels"], output_names=["logits"], dynamic_axes={"pixels": {0: "batch"}, "logits": {0: "batch"}},
    )  # fmt: skip
    with torch.no_grad():
        return net(normalised).numpy()


def keras_teacher(parts, out, epochs):
    import keras

    keras.utils.set_random_seed(1)
    images, labels = parts["train"]
    layers = keras.layers
    net = keras.Sequential([
        keras.Input((28, 28, 1), name="pixels"),
        layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(),
        layers.Flatten(), layers.Dropout(0.3), layers.Dense(120, activation="relu"), layers.Dropout(0.3), layers.Dense(10),
    ])  # fmt: skip
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * (len(images) // BATCH))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(rate), loss)
    net.fit(images[..., None], labels, batch_size=BATCH, epochs=epochs, verbose=0)

    write_graph_model(net, out)
    test = parts["test"][0][..., None]
    return np.concatenate([net(test[i : i + 1000], training=False).numpy() for i in range(0, len(test), 1000)])


def write_graph_model(net, directory):
    """What tensorflowjs_converter does without its optimisations: a frozen GraphDef as JSON, constants in a file of weights."""
    import tensorflow as tf
    from google.protobuf import json_format
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    call = tf.function(lambda pixels: {"logits": net(pixels, training=False)})
    traced = call.get_concrete_function(tf.TensorSpec([None, 28, 28, 1], tf.float32, name="pixels"))
    frozen = convert_variables_to_constants_v2(traced)
    graph, weights, manifest = frozen.graph.as_graph_def(), [], []
    for node in graph.node:
        if node.op != "Const":
            continue
        value = tf.make_ndarray(node.attr["value"].tensor)
        dtype = {"float32": "float32", "int32": "int32", "bool": "bool"}[str(value.dtype)]
        manifest.append({"name": node.name, "shape": list(value.shape), "dtype": dtype})
        weights.append(value.tobytes())
        node.attr["value"].tensor.Clear()
        node.attr["value"].tensor.dtype = node.attr["dtype"].type
    with open(os.path.join(directory, "weights.bin"), "wb") as file:
        file.write(b"".join(weights))
    tensor = lambda each: {"name": each.name, "dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": str(d or -1)} for d in each.shape]}}
    model = {
        "format": "graph-model",
        "generatedBy": tf.__version__,
        "convertedBy": None,
        "signature": {"inputs": {"pixels": tensor(frozen.inputs[0])}, "outputs": {"logits": tensor(frozen.outputs[0])}},
        "modelTopology": json_format.MessageToDict(graph),
        "weightsManifest": [{"paths": ["weights.bin"], "weights": manifest}],
    }
    with open(os.path.join(directory, "model.json"), "w") as file:
        json.dump(model, file)


def compare(out, run):
    own = np.load(os.path.join(out, "logits.npy"))
    here = np.fromfile(os.path.join(run, "teacher", "test-logits.bin"), np.float32).reshape(own.shape)
    print(json.dumps({"logits": own.size, "apart": float(np.abs(own - here).max()), "largest": float(np.abs(own).max())}))


def main():
    if sys.argv[1] == "compare":
        return compare(*sys.argv[2:4])
    kind, data, out = sys.argv[1:4]
    epochs = int(sys.argv[4]) if len(sys.argv) > 4 else 6
    os.makedirs(out, exist_ok=True)
    parts = load(data)
    logits = {"torch": torch_teacher, "keras": keras_teacher}[kind](parts, out, epochs)
    np.save(os.path.join(out, "logits.npy"), logits.astype(np.float32))
    print(json.dumps({"accuracy": float((logits.argmax(1) == parts["test"][1]).mean())}))


main()
