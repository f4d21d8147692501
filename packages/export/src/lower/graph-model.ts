/**
 * A tfjs GraphModel, as tfjs-converter writes it, as a graph: the nodes that its outputs need, in an order in which they can run,
 * each by its op's lowering. Images are channels first from the inputs on; see `graph-model/layout.ts`.
 */
import { isDistillateError } from "@distillate/bundle";
import type { Dim, Edge, Graph, Node, Value } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { invalid, type ModelArtifacts, readWeights } from "./artifacts.ts";
import type { LoweredModel, LowerOptions } from "./context.ts";
import { ARITHMETIC } from "./graph-model/arithmetic.ts";
import { BASIC_MATH } from "./graph-model/basic-math.ts";
import { OP_LOWERINGS } from "./graph-model/index.ts";
import { asImage, imageOrder, plain, plainly, plainOrder } from "./graph-model/layout.ts";
import { LOGICAL } from "./graph-model/logical.ts";
import { NORMALIZATION } from "./graph-model/normalization.ts";
import { type OpNode, typeAttr, unsupportedOp } from "./graph-model/op-node.ts";
import { startTrace, type Traced, type Tracer } from "./graph-model/trace.ts";
import { hasChannelsFirst } from "./graph-model/window.ts";

interface NodeJson extends OpNode {
  readonly input: readonly string[];
}

/** What a signature says of an input or output; older ones leave out all but the name. */
interface TensorInfo {
  readonly name: string;
  readonly tensorShape?: ShapeJson;
}

interface ShapeJson {
  readonly unknownRank?: boolean;
  readonly dim?: readonly { readonly size: string | number }[];
}

type Signature = readonly (readonly [key: string, info: TensorInfo])[];

/** Ops that look at an image, by which an input of rank 4 is known to be one. */
const IMAGE_OPS =
  /^(_FusedConv2D|Conv2D|FusedDepthwiseConv2dNative|DepthwiseConv2d(Native)?|(Avg|Max)Pool|FusedBatchNorm(V[23])?|Resize\w+|DepthToSpace|Conv2DBackpropInput)$/;

/** Ops whose result is an image where their input is one. */
const KEEPING_OPS: ReadonlySet<string> = new Set([
  ...[ARITHMETIC, BASIC_MATH, LOGICAL, NORMALIZATION].flatMap((table) => Object.keys(table)),
  ..."Cast Concat ConcatV2 Identity MirrorPad Pad PadV2 Slice StopGradient StridedSlice Tile".split(" "),
]);

/** Whether artifacts are a GraphModel's, rather than a LayersModel's. */
export function isGraphModel({ modelTopology }: ModelArtifacts): boolean {
  return Array.isArray((modelTopology as { node?: unknown } | undefined)?.node);
}

/**
 * Lowers a model. Inputs and outputs are called as its signature has them, without the `:0`. Inputs of rank 4 that go to ops on
 * images come in as [batch, c, h, w], and so do images go out.
 *
 * @throws DistillateError `op-unsupported` naming node, op and reason, or `model-invalid`.
 */
export function lowerGraphModel(artifacts: ModelArtifacts, options: LowerOptions): LoweredModel {
  return reading("its graph", () => lower(artifacts, options));
}

/** JSON from anywhere is read as if it were whole: what is missing or of another kind shows as a failure to read it. */
function reading<Result>(what: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (isDistillateError(error)) throw error;
    throw invalid(`${what} is not as the converter writes it (${(error as Error).message})`, error);
  }
}

function lower(artifacts: ModelArtifacts, options: LowerOptions): LoweredModel {
  const nodes = readNodes(artifacts);
  const { inputs: given, outputs: wanted } = readSignature(artifacts, nodes);
  const { order, cycle } = orderOf(nodes, wanted);
  refuse(order);
  if (cycle !== undefined) throw invalid(cycle);
  const build = startTrace(options.opset);
  const names = wanted.map(([key]) => build.reserve(clean(key)));
  const seen = imagesOf(order);
  const inputs: Value[] = [];
  const images: Edge[] = [];
  const done = new Map<string, readonly Traced[]>();
  for (const [key, info] of given) {
    const node = nodes.get(nodeOf(info.name))!;
    const isImage = seen.has(node.name);
    const { value, traced } = inputOf(node, info, clean(key), isImage, options.batch, build);
    inputs.push(value);
    if (isImage) images.push(value.name);
    done.set(node.name, [traced]);
  }
  const weights = readWeights(artifacts);
  for (const node of order) {
    if (done.has(node.name)) continue;
    done.set(
      node.name,
      reading(`node ${node.name} (${node.op})`, () => lowerNode(node, done, weights, build)),
    );
  }
  const results = wanted.map(([, info], i): Edge => {
    const value = outputAt(info.name, done);
    const isImage = value.order.length === 4 && seen.has(nodeOf(info.name));
    if (isImage) images.push(names[i]!);
    return isImage ? asImage(value, build).edge : plain(value, build);
  });
  return { graph: finish(build, inputs, results, names, options), images };
}

function readNodes({ modelTopology }: ModelArtifacts): ReadonlyMap<string, NodeJson> {
  const list = (modelTopology as { readonly node: readonly Partial<NodeJson>[] }).node;
  const nodes = new Map<string, NodeJson>();
  for (const node of list) {
    if (typeof node?.name !== "string" || typeof node.op !== "string")
      throw invalid("it has a node without name or op");
    if (nodes.has(node.name)) throw invalid(`it has two nodes ${node.name}`);
    const input = (node.input ?? []).filter((name) => !name.startsWith("^"));
    nodes.set(node.name, { name: node.name, op: node.op, attr: node.attr ?? {}, input });
  }
  return nodes;
}

/** Without a signature every placeholder is an input, and every node that nobody reads an output. */
function readSignature(
  { signature, userDefinedMetadata }: ModelArtifacts,
  nodes: ReadonlyMap<string, NodeJson>,
): { readonly inputs: Signature; readonly outputs: Signature } {
  const said = ((userDefinedMetadata as { signature?: object } | undefined)?.signature ?? signature ?? {}) as {
    readonly inputs?: { readonly [key: string]: TensorInfo };
    readonly outputs?: { readonly [key: string]: TensorInfo };
  };
  const named = ({ name }: NodeJson): Signature[number] => [name, { name }];
  // The converter leaves out inputs that nothing needs, but not in the signature.
  const given = Object.entries(said.inputs ?? {}).filter(([, { name }]) => nodes.has(nodeOf(name)));
  const placeholders = (): Signature => [...nodes.values()].filter(({ op }) => op === "Placeholder").map(named);
  const inputs = given.length > 0 ? given : placeholders();
  const wanted = Object.entries(said.outputs ?? {});
  const unread = (): Signature => {
    const read = new Set([...nodes.values()].flatMap(({ input }) => input.map(nodeOf)));
    const last = [...nodes.values()].filter(({ name, op }) => !read.has(name) && op !== "Const" && op !== "NoOp");
    return last.map(named);
  };
  const outputs = wanted.length > 0 ? wanted : unread();
  if (inputs.length === 0 || outputs.length === 0) throw invalid("it does not say what its inputs and outputs are");
  return { inputs, outputs };
}

/** `name`, `name:1` or `name:output:1`. */
function nodeOf(input: string): string {
  return input.split(":", 1)[0]!;
}

function indexOf(input: string): number {
  const parts = input.split(":");
  return parts.length === 1 ? 0 : Number(parts.at(-1));
}

/** The nodes that outputs need, each behind those that it reads; a cycle among them, which only loops may have. */
function orderOf(
  nodes: ReadonlyMap<string, NodeJson>,
  outputs: Signature,
): { readonly order: readonly NodeJson[]; readonly cycle?: string } {
  const order: NodeJson[] = [];
  let cycle: string | undefined;
  const state = new Map<string, "open" | "done">();
  const find = (name: string, reader: string): NodeJson => {
    const node = nodes.get(name);
    if (node === undefined) throw invalid(`${reader} reads ${name}, which is not there`);
    return node;
  };
  for (const [key, { name }] of outputs) {
    const stack = [find(nodeOf(name), `output ${key}`)];
    while (stack.length > 0) {
      const node = stack.at(-1)!;
      if (state.get(node.name) === undefined) {
        state.set(node.name, "open");
        for (const input of node.input.toReversed()) {
          const next = find(nodeOf(input), `node ${node.name}`);
          if (state.get(next.name) === "open") cycle = `node ${node.name} reads ${next.name}, which reads it in turn`;
          if (state.get(next.name) === undefined) stack.push(next);
        }
        continue;
      }
      stack.pop();
      if (state.get(node.name) === "open") order.push(node);
      state.set(node.name, "done");
    }
  }
  return { order, ...(cycle !== undefined && { cycle }) };
}

/** Whatever cannot be lowered is said before anything is. */
function refuse(order: readonly NodeJson[]): void {
  const found = order.flatMap((node) => {
    if (node.op === "Const" || node.op === "Placeholder") return [];
    const entry = Object.hasOwn(OP_LOWERINGS, node.op) ? OP_LOWERINGS[node.op]! : UNKNOWN;
    return "refused" in entry ? [{ node, entry }] : [];
  });
  const [first] = found;
  if (first === undefined) return;
  const others = new Set(found.map(({ node }) => node.op));
  others.delete(first.node.op);
  const more = others.size === 0 ? "" : ` (nor can its ${[...others].sort().join(", ")})`;
  throw unsupportedOp(first.node, `${first.entry.refused}${more}`, first.entry.hint);
}

const UNKNOWN = {
  refused: "this op is not in the table",
  hint: "Build the model of ops that tfjs runs without registering any; docs/export-graph-ops.md lists them.",
};

/** Placeholders of rank 4 from which an op on images is reached, and what such ops make and others keep as an image. */
function imagesOf(order: readonly NodeJson[]): ReadonlySet<string> {
  const isImageOp = (node: NodeJson): boolean => IMAGE_OPS.test(node.op) && !hasChannelsFirst(node);
  const isNeeded = new Set<string>();
  for (const node of order.toReversed())
    if (isNeeded.has(node.name) || isImageOp(node)) for (const input of node.input) isNeeded.add(nodeOf(input));
  const images = new Set<string>();
  for (const node of order) {
    const isInput = node.op === "Placeholder" && shapeIn(node.attr)?.dim?.length === 4 && isNeeded.has(node.name);
    const isKept = KEEPING_OPS.has(node.op) && node.input.some((name) => images.has(nodeOf(name)));
    if (isInput || isImageOp(node) || isKept) images.add(node.name);
  }
  return images;
}

function shapeIn(attr: OpNode["attr"]): ShapeJson | undefined {
  return (attr.shape as { readonly shape?: ShapeJson } | undefined)?.shape;
}

/** A placeholder as an input of the graph; its first axis is the batch where its size stays open. */
function inputOf(
  node: NodeJson,
  info: TensorInfo,
  name: string,
  isImage: boolean,
  batch: string | number,
  build: Tracer,
): { readonly value: Value; readonly traced: Traced } {
  const dtype = typeAttr(node, "dtype");
  if (dtype === undefined) throw unsupportedOp(node, "its values are no numbers", "Turn them into numbers outside.");
  const shape = info.tensorShape?.dim === undefined ? shapeIn(node.attr) : info.tensorShape;
  if (shape === undefined || shape.unknownRank === true)
    throw unsupportedOp(node, "it has no shape", "Convert the model with fixed input shapes, all but the batch.");
  const sizes = (shape.dim ?? []).map(({ size }, axis): Dim => {
    const known = Number(size);
    if (known >= 0) return known;
    return axis === 0 ? batch : `${name}_${axis}`;
  });
  const order = isImage ? imageOrder(sizes.length) : plainOrder(sizes.length);
  const value = { name, dtype, shape: order.map((axis) => sizes[axis]!) };
  const edge = build.input(value);
  return { value: { ...value, name: edge }, traced: { edge, order } };
}

function lowerNode(
  json: NodeJson,
  done: ReadonlyMap<string, readonly Traced[]>,
  weights: ReturnType<typeof readWeights>,
  build: Tracer,
): readonly Traced[] {
  const node = { ...json, name: clean(json.name) };
  if (node.op === "Const") {
    const tensor = weights.get(json.name);
    if (tensor === undefined) throw invalid(`node ${json.name} has no weights that are numbers`);
    return [plainly(build.constant(node.name, tensor), build)];
  }
  if (node.op === "Placeholder") throw invalid(`its signature leaves out the input ${json.name}`);
  const lowering = OP_LOWERINGS[node.op]!;
  if ("refused" in lowering) throw unsupportedOp(node, lowering.refused, lowering.hint);
  const inputs = json.input.map((name) => outputAt(name, done));
  return [lowering(node, inputs, build)].flat();
}

function outputAt(name: string, done: ReadonlyMap<string, readonly Traced[]>): Traced {
  const value = done.get(nodeOf(name))?.[indexOf(name)];
  if (value === undefined) throw invalid(`nothing makes ${name} that numbers could be read from`);
  return value;
}

/** What wraps a converted function, and the output's number, say nothing to a reader. */
function clean(name: string): string {
  return name.replace(/^StatefulPartitionedCall\//, "").replace(/:0$/, "");
}

/** Outputs get the names that the signature has; one that is an input, a constant or another output is written once more. */
function finish(
  build: Tracer,
  inputs: readonly Value[],
  results: readonly Edge[],
  names: readonly Edge[],
  { name, opset }: LowerOptions,
): Graph {
  const { nodes, constants } = build.finish();
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const renamed = new Map<Edge, Edge>();
  const copies: Node[] = [];
  for (const [i, edge] of results.entries()) {
    const output = names[i]!;
    if (made.has(edge) && !renamed.has(edge)) renamed.set(edge, output);
    else
      copies.push({ op: "Identity", domain: "", name: `${output}/copy`, inputs: [edge], outputs: [output], attrs: {} });
  }
  const rename = (edge: Edge): Edge => renamed.get(edge) ?? edge;
  const graph = inferShapes({
    name,
    opset,
    inputs,
    outputs: [],
    nodes: [...nodes, ...copies].map((node) => ({
      ...node,
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    })),
    constants,
    values: new Map(),
  });
  return { ...graph, outputs: names.map((edge) => graph.values.get(edge)!) };
}
