/** Layers with several inputs. */
import { int } from "../../attr.ts";
import { intTensor, scalar } from "../../tensor.ts";
import { type GraphBuilder, type LayerSource, type Lowered, type Lowering, unsupported } from "../context.ts";
import { asChannelsFirst, asTfjs, edgeAxis } from "../layout.ts";
import { reduce } from "../reduce.ts";

/** Inputs whose edges lie alike: as they are, or channels first if one is. */
function alike(inputs: readonly Lowered[], builder: GraphBuilder): readonly Lowered[] {
  const from = inputs.map(({ flattened }) => flattened?.source.shape.join() ?? "");
  const plain =
    new Set(from).size > 1 ? inputs.map((value) => (value.flattened ? asTfjs(value, builder) : value)) : inputs;
  if (!plain.some(({ layout }) => layout === "channelsFirst")) return plain;
  return plain.map((value) => asChannelsFirst(value, builder));
}

/** Two inputs a node, or all in one. Inputs of other sizes must broadcast; of other ranks tfjs' rule is its own. */
const merge =
  (op: string, isVariadic: boolean): Lowering =>
  (layer, inputs, builder) => {
    if (new Set(inputs.map(({ shape }) => shape.length)).size > 1)
      throw unsupported(layer, "its inputs have different ranks", "Reshape them to one rank before.");
    const same = inputs.every(({ shape }) => shape.join() === inputs[0]!.shape.join());
    const values = alike(
      same ? inputs : inputs.map((value) => (value.flattened ? asTfjs(value, builder) : value)),
      builder,
    );
    const shape = values[0]!.shape.map((_, axis) => Math.max(...values.map((value) => value.shape[axis]!)));
    const edges = values.map(({ edge }) => edge);
    const masked = inputs.some((value) => value.masked) && { masked: true };
    if (isVariadic) return { ...values[0]!, shape, ...masked, edge: builder.add(op, layer.name, edges) };
    const [first, ...rest] = edges;
    const edge = rest.reduce((sum, next, index) => {
      const name = index === rest.length - 1 ? layer.name : `${layer.name}/${index + 1}`;
      return builder.add(op, name, [sum, next]);
    }, first!);
    return { ...values[0]!, shape, ...masked, edge };
  };

/** Add. */
export const add: Lowering = merge("Add", false);
/** Multiply. */
export const multiply: Lowering = merge("Mul", false);
/** Average. */
export const average: Lowering = merge("Mean", true);
/** Maximum. */
export const maximum: Lowering = merge("Max", true);
/** Minimum. */
export const minimum: Lowering = merge("Min", true);

/** Concatenate along any axis but the batch. */
export const concatenate: Lowering = (layer, inputs, builder) => {
  const values = alike(
    inputs.map((value) => (value.flattened ? asTfjs(value, builder) : value)),
    builder,
  );
  const { shape } = values[0]!;
  const given = Number(layer.config.axis ?? -1);
  const axis = given < 0 ? given + shape.length + 1 : given;
  if (axis === 0) throw unsupported(layer, "it joins along the batch", "Join along another axis.");
  const total = values.reduce((sum, value) => sum + value.shape[axis - 1]!, 0);
  const edges = values.map(({ edge }) => edge);
  const masked = inputs.some((value) => value.masked) && { masked: true };
  return {
    ...values[0]!,
    ...masked,
    shape: shape.with(axis - 1, total),
    edge: builder.add("Concat", layer.name, edges, { axis: int(edgeAxis(values[0]!, axis)) }),
  };
};

/** Dot: products along one axis of each input, as tfjs' batchDot does it for ranks 2 and 3. */
export const dot: Lowering = (layer, inputs, builder) => {
  const { name, config } = layer;
  if (inputs.length !== 2 || inputs.some(({ shape }) => shape.length > 2))
    throw unsupported(layer, "its inputs are not two of rank 2 or 3", "Reshape them before.");
  let [x, y] = inputs.map((value) => asTfjs(value, builder)) as [Lowered, Lowered];
  const ranks = [x, y].map(({ shape }) => shape.length + 1) as [number, number];
  const axes = ranks.map((rank, i) => {
    const axis = Number(Array.isArray(config.axes) ? config.axes[i] : config.axes);
    return axis < 0 ? axis + rank : axis;
  }) as [number, number];
  if (axes.includes(0)) throw unsupported(layer, "it sums over the batch", "Sum over another axis.");
  if (config.normalize === true) {
    x = normalized(layer, "x", x, axes[0], builder);
    y = normalized(layer, "y", y, axes[1], builder);
  }
  const kept = [x.shape, y.shape].flatMap((shape, i) => shape.filter((_, axis) => axis !== axes[i]! - 1));
  const shape = kept.length === 0 ? [1] : kept;
  if (ranks[0] === 2 && ranks[1] === 2) {
    const product = builder.add("Mul", `${name}/product`, [x.edge, y.edge]);
    return { edge: reduce("ReduceSum", name, product, [1], true, builder), shape, layout: "tfjs" };
  }
  // Rows times columns: what is summed over goes last on the left and first on the right.
  const left =
    ranks[0] === 2
      ? unsqueeze(`${name}/left`, x.edge, 1, builder)
      : side(`${name}/left`, x.edge, axes[0] === 1, builder);
  const right =
    ranks[1] === 2
      ? unsqueeze(`${name}/right`, y.edge, 2, builder)
      : side(`${name}/right`, y.edge, axes[1] === 2, builder);
  if (ranks[0] === ranks[1]) return { edge: builder.add("MatMul", name, [left, right]), shape, layout: "tfjs" };
  const product = builder.add("MatMul", `${name}/product`, [left, right]);
  const axis = builder.constant(`${name}/axis`, intTensor([ranks[0] === 2 ? 1 : 2]));
  return { edge: builder.add("Squeeze", name, [product, axis]), shape, layout: "tfjs" };
};

function side(name: string, edge: string, turned: boolean, builder: GraphBuilder): string {
  return turned ? builder.add("Transpose", name, [edge], { perm: { kind: "ints", value: [0, 2, 1] } }) : edge;
}

function unsqueeze(name: string, edge: string, axis: number, builder: GraphBuilder): string {
  return builder.add("Unsqueeze", name, [edge, builder.constant(`${name}/axis`, intTensor([axis]))]);
}

/** x / sqrt(max(sum x^2, 1e-7)), tfjs' l2Normalize. */
function normalized(layer: LayerSource, part: string, value: Lowered, axis: number, builder: GraphBuilder): Lowered {
  const name = `${layer.name}/${part}`;
  const squares = builder.add("Mul", `${name}/squares`, [value.edge, value.edge]);
  const sum = reduce("ReduceSum", `${name}/sum`, squares, [axis], true, builder);
  const floor = builder.add("Max", `${name}/floor`, [sum, builder.constant(`${name}/epsilon`, scalar(1e-7))]);
  const norm = builder.add("Sqrt", `${name}/norm`, [floor]);
  return { ...value, edge: builder.add("Div", `${name}/normalized`, [value.edge, norm]) };
}
