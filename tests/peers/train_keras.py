"""Training throughput of Keras' tf.function, for `pnpm bench:train --peers`: the nets of packages/train/bench/models.ts.

Usage: train_keras.py MODEL SECONDS   Prints one JSON object: images a second and CPU milliseconds a step (medians), steps, version.
"""

import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

L = tf.keras.layers
BATCH = 64


def mlp():
    return tf.keras.Sequential(
        [L.Input((28, 28, 1)), L.Flatten(), L.Dense(128, "relu"), L.Dense(64, "relu"), L.Dense(10)]
    )


def cnn(first=16, second=32, hidden=120):
    return tf.keras.Sequential(
        [
            L.Input((28, 28, 1)),
            L.Conv2D(first, 3, activation="relu"),
            L.MaxPooling2D(),
            L.Conv2D(second, 3, activation="relu"),
            L.MaxPooling2D(),
            L.Flatten(),
            L.Dense(hidden, "relu"),
            L.Dense(10),
        ]
    )


def ds_cnn():
    stack = [
        L.Input((28, 28, 1)),
        L.Conv2D(64, 3, strides=2, padding="same", use_bias=False),
        L.BatchNormalization(),
        L.ReLU(),
    ]
    for _ in range(4):
        stack += [
            L.DepthwiseConv2D(3, padding="same", use_bias=False),
            L.BatchNormalization(),
            L.ReLU(),
            L.Conv2D(64, 1, use_bias=False),
            L.BatchNormalization(),
            L.ReLU(),
        ]
    return tf.keras.Sequential(stack + [L.GlobalAveragePooling2D(), L.Dense(10)])


def resnet_8():
    def normalised(x, filters, kernel, strides):
        x = L.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False)(x)
        return L.BatchNormalization()(x)

    image = L.Input((32, 32, 3))
    x = L.ReLU()(normalised(image, 16, 3, 1))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = normalised(L.ReLU()(normalised(x, filters, 3, strides)), filters, 3, 1)
        if strides != 1:
            x = L.Conv2D(filters, 1, strides=strides, padding="same")(x)
        x = L.ReLU()(L.Add()([x, y]))
    return tf.keras.Model(image, L.Dense(10)(L.GlobalAveragePooling2D()(x)))


MODELS = {
    "mlp": ((28, 28, 1), mlp, None),
    "cnn": ((28, 28, 1), cnn, None),
    "ds-cnn": ((28, 28, 1), ds_cnn, None),
    "resnet-8": ((32, 32, 3), resnet_8, None),
    "distillation": ((28, 28, 1), cnn, lambda: cnn(32, 64, 256)),
}

shape, build, build_teacher = MODELS[sys.argv[1]]
seconds = float(sys.argv[2])
model = build()
teacher = build_teacher() if build_teacher else None
optimizer = tf.keras.optimizers.Adam(1e-3, epsilon=1e-7)
inputs = tf.random.normal((BATCH, *shape), seed=7)
labels = tf.range(BATCH) % 10
TEMPERATURE = 4.0


@tf.function
def step(inputs, labels):
    with tf.GradientTape() as tape:
        logits = model(inputs, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        if teacher is not None:
            soft = tf.nn.log_softmax(teacher(inputs, training=False) / TEMPERATURE)
            ours = tf.nn.log_softmax(logits / TEMPERATURE)
            divergence = tf.reduce_mean(tf.reduce_sum(tf.exp(soft) * (soft - ours), -1))
            loss = 0.1 * loss + 0.9 * TEMPERATURE**2 * divergence
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss


for _ in range(5):
    step(inputs, labels).numpy()
times = []
started, cpu = time.perf_counter(), time.process_time()
while time.perf_counter() - started < seconds or len(times) < 3:
    before = time.perf_counter()
    loss = step(inputs, labels).numpy()
    times.append(time.perf_counter() - before)
cpu = (time.process_time() - cpu) / len(times)
median = sorted(times)[len(times) // 2]
print(
    json.dumps(
        {
            "imagesPerSecond": BATCH / median,
            "cpuMilliseconds": 1000 * cpu,
            "steps": len(times),
            "parameters": model.count_params(),
            "loss": float(loss),
            "version": f"{tf.keras.__version__} on TensorFlow {tf.__version__}",
        }
    )
)
