/**
 * Two models on the same samples, tensor by tensor: how much of a signal is left, and where it is lost.
 *
 *   sqnr = 10 log10( sum a^2 / sum (a - b)^2 ) dB        cosine = sum a b / sqrt(sum a^2 sum b^2)
 *
 * Tensors are the same where they have the same name; of one that is rounded, what its readers see: the value behind its pair.
 * Memory does not grow with the samples.
 */
import { argmax, DistillateError } from "@distillate/bundle";
import type { Edge, Feeds, Graph, RunnableModel } from "./graph.ts";
import { encodeModel } from "./onnx/encode.ts";
import type { Calibration } from "./quantize/calibrate/observe.ts";
import { smallBatches } from "./quantize/calibrate/small-batches.ts";
import { floatsOf } from "./tensor.ts";

/** How alike one tensor is in both models. */
export interface TensorComparison {
  readonly tensor: Edge;
  /** The op that writes it in the first model. */
  readonly op: string;
  /** Signal to noise in dB, infinite where nothing differs. */
  readonly sqnr: number;
  readonly cosine: number;
  readonly largestDifference: number;
}

/** How alike two models are. */
export interface Comparison {
  readonly samples: number;
  /** Values that both compute, in the first model's order. */
  readonly tensors: readonly TensorComparison[];
  /** The models' outputs, by position. */
  readonly outputs: readonly TensorComparison[];
  /** Share of samples whose largest first output is at the same place. */
  readonly agreement: number;
}

interface Sums {
  a: number;
  b: number;
  dot: number;
  noise: number;
  largest: number;
}

/** A tensor of both models: its names, and the op that writes it. */
interface Both {
  readonly a: Edge;
  readonly b: Edge;
  readonly op: string;
}

/**
 * Runs both models as they are written over all samples, which are feeds of the first; the second takes them by position.
 *
 * @throws DistillateError `models-differ` for models with other inputs or outputs, `calibration-empty` without samples.
 */
export async function compareModels(
  a: Graph,
  b: Graph,
  { run, samples }: Calibration,
  options: { readonly outputsOnly?: boolean } = {},
): Promise<Comparison> {
  checkAlike(a, b);
  const outputs = a.outputs.map(({ name }, i): Both => ({ a: name, b: b.outputs[i]!.name, op: writerOf(a, name) }));
  const inner = options.outputsOnly ? [] : sharedTensors(a, b);
  const all = [...outputs, ...inner];
  const sums = new Map(all.map((both) => [both, { a: 0, b: 0, dot: 0, noise: 0, largest: 0 }] as const));
  const models = [
    await open(
      a,
      all.map((both) => both.a),
      run,
    ),
    await open(
      b,
      all.map((both) => both.b),
      run,
    ),
  ] as const;
  let [count, same] = [0, 0];
  try {
    for await (const feeds of smallBatches(a, samples)) {
      const renamed: Feeds = Object.fromEntries(a.inputs.map(({ name }, i) => [b.inputs[i]!.name, feeds[name]!]));
      const [found, other] = [await models[0].run(feeds), await models[1].run(renamed)];
      for (const both of all) add(sums.get(both)!, floatsOf(found[both.a]!), floatsOf(other[both.b]!));
      const size = Object.values(feeds)[0]?.shape[0] ?? 1;
      same += agreeing(floatsOf(found[outputs[0]!.a]!), floatsOf(other[outputs[0]!.b]!), size);
      count += size;
    }
  } finally {
    await Promise.all(models.map((model) => model.dispose()));
  }
  if (count === 0) {
    throw new DistillateError({
      code: "calibration-empty",
      message: "there are no samples to compare the models on, expected at least one",
      hint: "Give samples that look like what the models will see.",
    });
  }
  const describe = (both: Both): TensorComparison => ({ tensor: both.a, op: both.op, ...measures(sums.get(both)!) });
  return { samples: count, tensors: inner.map(describe), outputs: outputs.map(describe), agreement: same / count };
}

function open(graph: Graph, edges: readonly Edge[], run: Calibration["run"]): Promise<RunnableModel> {
  const known = new Map([...graph.values, ...graph.outputs.map((value) => [value.name, value] as const)]);
  const outputs = [...new Set(edges)].map((edge) => known.get(edge)!);
  const metadata = { producer: "distillate", producerVersion: "compare" };
  return run(encodeModel({ ...graph, outputs }, metadata), { optimization: "disabled" });
}

/** Float values that both compute, the models' outputs aside. */
function sharedTensors(a: Graph, b: Graph): readonly Both[] {
  const outputs = new Set([...a.outputs, ...b.outputs].map(({ name }) => name));
  const isComputed = computedIn(a);
  return a.nodes.flatMap(({ op, outputs: written }) =>
    written.flatMap((edge): Both[] => {
      const fits = a.values.get(edge)?.dtype === "float32" && b.values.get(edge)?.dtype === "float32";
      const isOwn = fits && isComputed(edge) && !outputs.has(edge) && !op.endsWith("QuantizeLinear");
      return isOwn ? [{ a: seenOf(a, edge), b: seenOf(b, edge), op }] : [];
    }),
  );
}

/** Values that depend on the inputs; what is made of constants alone is a weight. */
function computedIn(graph: Graph): (edge: Edge) => boolean {
  const computed = new Set(graph.inputs.map(({ name }) => name));
  for (const { inputs, outputs } of graph.nodes)
    if (inputs.some((edge) => computed.has(edge))) for (const edge of outputs) computed.add(edge);
  return (edge) => computed.has(edge);
}

/** What readers of a value see of it: where a pair alone reads it, what comes out of that. */
function seenOf(graph: Graph, edge: Edge): Edge {
  const readersOf = (of: Edge): Graph["nodes"] => graph.nodes.filter(({ inputs }) => inputs.includes(of));
  const [first, ...others] = readersOf(edge);
  if (first === undefined || others.length > 0) return edge;
  // A Max with a constant that changes no value may stand between.
  if (first.op === "Max" && first.inputs.some((input) => graph.constants.has(input)))
    return readersOf(first.outputs[0]!)[0]?.op === "QuantizeLinear" ? seenOf(graph, first.outputs[0]!) : edge;
  if (first.op !== "QuantizeLinear") return edge;
  const [back] = readersOf(first.outputs[0]!);
  return back?.op === "DequantizeLinear" ? back.outputs[0]! : edge;
}

function writerOf(graph: Graph, edge: Edge): string {
  return graph.nodes.find(({ outputs }) => outputs.includes(edge))?.op ?? "";
}

function add(sums: Sums, a: Float32Array, b: Float32Array): void {
  for (const [i, x] of a.entries()) {
    const y = b[i]!;
    sums.a += x * x;
    sums.b += y * y;
    sums.dot += x * y;
    sums.noise += (x - y) ** 2;
    sums.largest = Math.max(sums.largest, Math.abs(x - y));
  }
}

function measures({ a, b, dot, noise, largest }: Sums): Omit<TensorComparison, "tensor" | "op"> {
  return {
    sqnr: noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(a / noise),
    cosine: a === 0 && b === 0 ? 1 : dot / Math.sqrt(a * b || 1),
    largestDifference: largest,
  };
}

function agreeing(a: Float32Array, b: Float32Array, size: number): number {
  const width = a.length / size;
  let same = 0;
  for (let row = 0; row < a.length; row += width) if (argmax(a, row, width) === argmax(b, row, width)) same++;
  return same;
}

function checkAlike(a: Graph, b: Graph): void {
  const shapes = ({ inputs, outputs }: Graph): string =>
    [inputs, outputs]
      .map((values) =>
        values
          .map(
            ({ dtype, shape }) =>
              `${dtype} [${shape.map((size) => (typeof size === "number" ? size : "n")).join(", ")}]`,
          )
          .join(", "),
      )
      .join(" -> ");
  if (shapes(a) === shapes(b)) return;
  throw new DistillateError({
    code: "models-differ",
    message: `the models cannot be compared: one is ${shapes(a)}, the other ${shapes(b)}`,
    hint: "Give two models of the same inputs and outputs, such as a file and what was quantised from it.",
  });
}
