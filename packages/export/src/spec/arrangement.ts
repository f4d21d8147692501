/** Ops that reduce, index, reorder or resize. Source: ONNX, docs/Operators.md and docs/Changelog.md. */
import { MANY, type OpSpec, type Rows, row, rows } from "./op-spec.ts";

/** With opset 18 the axes of a reduction moved from an attribute to an input; ReduceSum's had at 13. */
const reduce: OpSpec = {
  ...row(13, 1, { axes: "ints", keepdims: "int" }),
  changes: [{ since: 18, inputs: [1, 2], attrs: { keepdims: "int", noop_with_empty_axes: "int" } }],
};

const resize = {
  coordinate_transformation_mode: "string",
  cubic_coeff_a: "float",
  exclude_outside: "int",
  extrapolation_value: "float",
  mode: "string",
  nearest_mode: "string",
} as const;

/** Reductions, indexing, reordering, resizing. */
export const ARRANGEMENT: Rows = {
  ...rows(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare",
    reduce,
  ),
  ReduceSum: row(13, [1, 2], { keepdims: "int", noop_with_empty_axes: "int" }),
  ...rows("ArgMax ArgMin", row(13, 1, { axis: "int", keepdims: "int", select_last_index: "int" })),
  CumSum: row(11, 2, { exclusive: "int", reverse: "int" }),
  TopK: { ...row(11, 2, { axis: "int", largest: "int", sorted: "int" }), outputs: [2, 2] },

  Concat: row(13, [1, MANY], { axis: "int" }),
  ConstantOfShape: row(9, 1, { value: "tensor" }),
  DepthToSpace: row(13, 1, { blocksize: "int", mode: "string" }),
  Expand: row(13, 2),
  Flatten: row(13, 1, { axis: "int" }),
  Gather: row(13, 2, { axis: "int" }),
  GatherElements: row(13, 2, { axis: "int" }),
  GatherND: row(13, 2, { batch_dims: "int" }),
  OneHot: row(11, 3, { axis: "int" }),
  Pad: { ...row(13, [2, 3], { mode: "string" }), changes: [{ since: 18, inputs: [2, 4] }] },
  Range: row(11, 3),
  Reshape: { ...row(13, 2), changes: [{ since: 14, attrs: { allowzero: "int" } }] },
  Resize: {
    ...row(13, [1, 4], resize),
    changes: [{ since: 18, attrs: { ...resize, antialias: "int", axes: "ints", keep_aspect_ratio_policy: "string" } }],
  },
  ReverseSequence: row(10, 2, { batch_axis: "int", time_axis: "int" }),
  ScatterElements: {
    ...row(13, 3, { axis: "int" }),
    changes: [{ since: 16, attrs: { axis: "int", reduction: "string" } }],
  },
  ScatterND: { ...row(13, 3), changes: [{ since: 16, attrs: { reduction: "string" } }] },
  Shape: { ...row(13, 1), changes: [{ since: 15, attrs: { start: "int", end: "int" } }] },
  Size: row(13, 1),
  Slice: row(13, [3, 5]),
  SpaceToDepth: row(13, 1, { blocksize: "int" }),
  Split: {
    ...row(13, [1, 2], { axis: "int" }),
    outputs: [1, MANY],
    changes: [{ since: 18, attrs: { axis: "int", num_outputs: "int" } }],
  },
  Squeeze: row(13, [1, 2]),
  Tile: row(13, 2),
  Transpose: row(13, 1, { perm: "ints" }),
  Trilu: row(14, [1, 2], { upper: "int" }),
  Unsqueeze: row(13, 2),
};
