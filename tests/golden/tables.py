"""Writes tables/: a teacher's logits as NumPy and Arrow write them, and tables.json: what is in them.

Usage: python3 tables.py   (needs numpy and pyarrow; tables.json says which versions made it)
"""

import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent / "tables"
HERE.mkdir(exist_ok=True)
LABELS = ["cat", "dog", "eel"]
logits = (np.random.default_rng(1).normal(size=(7, 3)) * 8).round() / 4  # exact in every type
names = [f"train/{'cat' if i % 2 else 'dog'}/{i}.png" for i in range(7)]
order = np.array([3, 0, 6, 2, 5, 1, 4])

for name, array in {
    "f2": logits.astype("<f2"),
    "f4": logits.astype("<f4"),
    "f8": logits.astype("<f8"),
    "f4-big": logits.astype(">f4"),
    "f4-fortran": np.asfortranarray(logits.astype("<f4")),
    "i8": order.astype("<i8"),
    "u1": order.astype("u1"),
    "text": np.array([names[i] for i in order]),
    "complex": logits.astype("complex64"),
}.items():
    np.save(HERE / f"{name}.npy", array)
np.save(HERE / "object.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)

columns = {label: pa.array(logits[:, i], pa.float32()) for i, label in enumerate(LABELS)}
swapped = {label: columns[label] for label in ["eel", "cat", "dog"]}
for name, table, compression in [
    ("columns", pa.table(swapped), "snappy"),
    ("gzip", pa.table(columns), "gzip"),
    ("list", pa.table({"logits": pa.array(list(logits), pa.list_(pa.float64()))}), "none"),
    ("ids", pa.table({"id": [names[i] for i in order], **{k: v.take(pa.array(order)) for k, v in columns.items()}}), "snappy"),
    ("gap", pa.table({**columns, "eel": pa.array([None, *logits[1:, 2]], pa.float32())}), "snappy"),
]:
    pq.write_table(table, HERE / f"{name}.parquet", compression=compression)

facts = {"numpy": np.__version__, "pyarrow": pa.__version__, "labels": LABELS, "logits": logits.tolist(), "names": names, "order": order.tolist()}
(HERE / "tables.json").write_text(json.dumps(facts, indent=2) + "\n")
