"""The network of a tfjs LayersModel as a TensorFlow SavedModel, for converters that read those: saved_model.py MODEL.JSON DIRECTORY"""
import json
import sys

import numpy as np
import tensorflow as tf

model_json, directory = sys.argv[1:]
topology = json.load(open(model_json))
config = topology["modelTopology"].get("model_config", topology["modelTopology"])
model = tf.keras.models.model_from_json(json.dumps(config))
rng = np.random.default_rng(1)
model.set_weights([np.abs(rng.normal(0, 0.1, w.shape)).astype(np.float32) for w in model.get_weights()])
model.export(directory)
