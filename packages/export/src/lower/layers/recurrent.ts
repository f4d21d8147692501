/**
 * SimpleRNN, GRU and LSTM, alone, stacked as cells, and in both directions.
 *
 * tfjs: kernel [in, g u], recurrent kernel [u, g u], bias [g u], gates in the order i f c o (LSTM) and z r h (GRU).
 * ONNX: W [d, g u, in], R [d, g u, u], B [d, 2 g u] (the second half is the recurrent bias), gates i o f c and z r h; time first.
 * tfjs' recurrent activation is hardSigmoid by default.
 */
import { int, ints, text, texts } from "../../attr.ts";
import { floatTensor, intTensor, permute } from "../../tensor.ts";
import { type GraphBuilder, type LayerSource, type Lowered, type Lowering, unsupported } from "../context.ts";
import { asTfjs, reshapeTo } from "../layout.ts";
import { reduce } from "../reduce.ts";
import { activationName } from "./activation.ts";

interface Cell {
  readonly op: "RNN" | "GRU" | "LSTM";
  /** tfjs' gate that stands at each place of ONNX' order. */
  readonly gates: readonly number[];
  /** Which activation each of ONNX' places takes. */
  readonly functions: readonly ("activation" | "recurrent_activation")[];
}

const CELLS: { readonly [className: string]: Cell } = {
  SimpleRNN: { op: "RNN", gates: [0], functions: ["activation"] },
  GRU: { op: "GRU", gates: [0, 1, 2], functions: ["recurrent_activation", "activation"] },
  LSTM: { op: "LSTM", gates: [0, 3, 1, 2], functions: ["recurrent_activation", "activation", "activation"] },
};

const FUNCTIONS: { readonly [activation: string]: string } = {
  elu: "Elu",
  hardsigmoid: "HardSigmoid",
  relu: "Relu",
  sigmoid: "Sigmoid",
  softplus: "Softplus",
  softsign: "Softsign",
  tanh: "Tanh",
};

/** What a run over the steps gives: Y [steps, directions, batch, units] and the last states [directions, batch, units]. */
interface Run {
  readonly all: string;
  readonly states: readonly string[];
  readonly units: number;
}

/** Runs one cell over the steps; two sources are the forward and the backward one. */
function run(
  sources: readonly LayerSource[],
  input: Lowered,
  initial: readonly string[],
  backwards: boolean,
  builder: GraphBuilder,
): Run {
  const [layer] = sources as [LayerSource];
  const { config, name } = layer;
  const cell = CELLS[layer.className.replace(/Cell$/, "")];
  if (cell === undefined) throw unsupported(layer, "it is no cell of the table", "Use SimpleRNN, GRU or LSTM.");
  if (config.reset_after === true)
    throw unsupported(layer, "it has resetAfter", "tfjs itself runs none: leave it out.");
  if (config.stateful === true)
    throw unsupported(
      layer,
      "it keeps its state between calls",
      "Set stateful to false, and return the state instead.",
    );
  if (input.masked) throw unsupported(layer, "it reads a mask", "Build the model without Masking and maskZero.");
  const units = Number(config.units);
  const inputs = input.shape[1]!;
  const rows = cell.gates.length * units;
  const gateRows = (values: Float32Array, depth: number): Float32Array => {
    const turned = permute(values, [depth, cell.gates.length, units], [1, 2, 0]);
    return joined(cell.gates.map((gate) => turned.subarray(gate * units * depth, (gate + 1) * units * depth)));
  };
  const constant = (part: string, values: readonly Float32Array[], shape: readonly number[]): string =>
    builder.constant(`${name}/${part}`, floatTensor(joined(values), [sources.length, ...shape]));
  const kernel = constant(
    "kernel",
    sources.map((source) => gateRows(source.weight("kernel").values, inputs)),
    [rows, inputs],
  );
  const recurrence = constant(
    "recurrent_kernel",
    sources.map((source) => gateRows(source.weight("recurrent_kernel").values, units)),
    [rows, units],
  );
  const bias =
    config.use_bias === false
      ? ""
      : constant(
          "bias",
          sources.flatMap((source) => [gateRows(source.weight("bias").values, 1), new Float32Array(rows)]),
          [2 * rows],
        );
  const activations = sources.flatMap(() =>
    cell.functions.map((part) => {
      const kind = activationName(config[part] ?? (part === "activation" ? "tanh" : "hardsigmoid"));
      const found = FUNCTIONS[kind];
      if (found !== undefined) return found;
      throw unsupported(layer, `its ${part} is ${kind}`, `Use one of ${Object.keys(FUNCTIONS).join(", ")}.`);
    }),
  );
  const steps = builder.add("Transpose", `${name}/steps`, [input.edge], { perm: ints([1, 0, 2]) });
  const states = cell.op === "LSTM" ? [`${name}/h`, `${name}/c`] : [`${name}/h`];
  const direction = sources.length === 2 ? "bidirectional" : backwards ? "reverse" : "forward";
  const given = [steps, kernel, recurrence, bias, "", ...initial];
  while (given.at(-1) === "") given.pop();
  builder.addMany(
    cell.op,
    `${name}/${cell.op.toLowerCase()}`,
    given,
    { hidden_size: int(units), activations: texts(activations), direction: text(direction) },
    [`${name}/all`, ...states],
  );
  return { all: `${name}/all`, states, units };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

function squeeze(name: string, edge: string, axis: number, builder: GraphBuilder): string {
  return builder.add("Squeeze", name, [edge, builder.constant(`${name}/axis`, intTensor([axis]))]);
}

/** One direction: `[steps, features]` to `[units]`, or to `[steps, units]`; states behind it where the layer returns them. */
function oneWay(layer: LayerSource, inputs: readonly Lowered[], builder: GraphBuilder): readonly Lowered[] {
  const { name, config } = layer;
  const input = asTfjs(inputs[0]!, builder);
  if (input.shape.length !== 2)
    throw unsupported(layer, `its input has rank ${input.shape.length + 1}`, "Give it [steps, features].");
  const initial = inputs.slice(1).map((state, i) => {
    const axis = builder.constant(`${name}/initial${i}/axis`, intTensor([0]));
    return builder.add("Unsqueeze", `${name}/initial${i}`, [asTfjs(state, builder).edge, axis]);
  });
  const backwards = config.go_backwards === true;
  const { all, states, units } = run([layer], input, initial, backwards, builder);
  const last = (): string => squeeze(name, states[0]!, 0, builder);
  const output: Lowered =
    config.return_sequences === true
      ? { edge: sequence(name, all, backwards, builder), shape: [input.shape[0]!, units], layout: "tfjs" }
      : { edge: last(), shape: [units], layout: "tfjs" };
  if (config.return_state !== true) return [output];
  const kept = states.map(
    (state, i): Lowered => ({ edge: squeeze(`${name}/state${i}`, state, 0, builder), shape: [units], layout: "tfjs" }),
  );
  return [output, ...kept];
}

/** ONNX puts the outputs of a reverse run back in the order of time; tfjs leaves them as they came. */
function sequence(name: string, all: string, backwards: boolean, builder: GraphBuilder): string {
  const steps = squeeze(`${name}/outputs`, all, 1, builder);
  if (!backwards) return builder.add("Transpose", name, [steps], { perm: ints([1, 0, 2]) });
  const ordered = builder.add("Transpose", `${name}/ordered`, [steps], { perm: ints([1, 0, 2]) });
  const bounds = Object.entries({ starts: [-1], ends: [-(2 ** 31)], axes: [1], strides: [-1] }).map(([part, values]) =>
    builder.constant(`${name}/${part}`, intTensor(values)),
  );
  return builder.add("Slice", name, [ordered, ...bounds]);
}

/** SimpleRNN, GRU, LSTM. */
export const recurrent: Lowering = oneWay;

/** RNN with one cell, or with several: a stack of cells over the steps is a stack of layers over whole sequences. */
export const rnn: Lowering = (layer, inputs, builder) => {
  type CellJson = { readonly class_name: string; readonly config: { readonly [key: string]: unknown } };
  const outer = layer.config.cell as CellJson;
  const isStack = outer.class_name === "StackedRNNCells";
  const cells = isStack ? (outer.config.cells as readonly CellJson[]) : [outer];
  if (inputs.length > 1 || (isStack && (layer.config.return_state === true || layer.config.go_backwards === true)))
    throw unsupported(layer, "its stack has states from outside or runs backwards", "Use single recurrent layers.");
  return cells.reduce<readonly Lowered[]>((values, cell, i) => {
    const isLast = i === cells.length - 1;
    const source: LayerSource = {
      className: cell.class_name,
      name: isLast ? layer.name : `${layer.name}/cell${i}`,
      config: { ...layer.config, ...cell.config, ...(!isLast && { return_sequences: true }) },
      weight: (part) => layer.weight(isStack ? `RNNCell_${i}/${part}` : part),
    };
    return oneWay(source, [values[0]!], builder);
  }, inputs);
};

/** Bidirectional: both directions in one node, joined by concat, sum, mul or ave. */
export const bidirectional: Lowering = (layer, inputs, builder) => {
  const { name, config } = layer;
  const inner = config.layer as { class_name: string; config: { readonly [key: string]: unknown } };
  const mode = String(config.merge_mode ?? "none");
  if (inputs.length > 1 || inner.config.return_state === true || inner.config.go_backwards === true || !(mode in JOINS))
    throw unsupported(
      layer,
      "it has states from or to outside, runs backwards, or joins its directions otherwise",
      `Join by ${Object.keys(JOINS).join(", ")}, and return no state.`,
    );
  const sources = ["forward", "backward"].map(
    (direction): LayerSource => ({
      className: inner.class_name,
      name,
      config: inner.config,
      weight: (part) => layer.weight(`${direction}_${String(inner.config.name)}/${part}`),
    }),
  );
  const input = asTfjs(inputs[0]!, builder);
  const { all, states, units } = run(sources, input, [], false, builder);
  const isSequence = inner.config.return_sequences === true;
  const steps = isSequence ? [input.shape[0]!] : [];
  const [edge, axis] = isSequence ? [all, 1] : [states[0]!, 0];
  const shape = [...steps, mode === "concat" ? 2 * units : units];
  const join = JOINS[mode as keyof typeof JOINS];
  if (join === undefined) {
    const order = isSequence ? [2, 0, 1, 3] : [1, 0, 2];
    const side = builder.add("Transpose", `${name}/side`, [edge], { perm: ints(order) });
    return { edge: reshapeTo(name, side, shape, builder), shape, layout: "tfjs" };
  }
  const joinedEdge = reduce(join, isSequence ? `${name}/joined` : name, edge, [axis], false, builder);
  if (!isSequence) return { edge: joinedEdge, shape, layout: "tfjs" };
  return { edge: builder.add("Transpose", name, [joinedEdge], { perm: ints([1, 0, 2]) }), shape, layout: "tfjs" };
};

const JOINS = { concat: undefined, sum: "ReduceSum", mul: "ReduceProd", ave: "ReduceMean" } as const;
