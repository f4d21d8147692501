import { DistillateError } from "@distillate/bundle";
import type { Attr, Dim, Edge, Graph, Node, Tensor, Value } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { verify } from "../spec.ts";
import { dtypeOf, type ExternalFiles, readTensor } from "./decode-tensor.ts";
import type { ModelMetadata } from "./encode.ts";
import { checkLifted, LOWEST_LIFTED } from "./lift-opset.ts";
import { ATTRIBUTE_TYPES } from "./messages.ts";
import { many, type ReadMessage, readMessage, text, unsupported } from "./read-message.ts";

/** A model read from a file. */
export interface DecodedModel {
  readonly graph: Graph;
  readonly metadata: ModelMetadata;
}

/** What a file from anywhere may ask for. */
const MAX = { fileBytes: 1 << 30, nodes: 100_000 } as const;
const OPSETS = { least: LOWEST_LIFTED, most: 21 } as const;
/** The lowest that graphs here have. */
const LOWEST = 13;

/**
 * Reads an ONNX file, ours or foreign, of ops in the table: every value typed and shaped, nameless nodes named, Constant nodes
 * and old-style initialisers turned into constants, opsets 7 to 12 read as 13 where all ops mean the same there. Weights in files beside it are taken from `external`, by the names that
 * `externalFilesOf` gives.
 *
 * @throws DistillateError `onnx-invalid` for bytes that are no such model, `onnx-unsupported` for what is outside of the table
 * (control flow, functions, other opsets), `external-data-missing` or `external-data-invalid`, `shape-mismatch` or `graph-invalid`.
 */
export function decodeModel(bytes: Uint8Array, external: ExternalFiles = new Map()): DecodedModel {
  if (bytes.byteLength > MAX.fileBytes) throw unsupported(`${bytes.byteLength} bytes, more than ${MAX.fileBytes}`);
  const model = readMessage(bytes, "Model");
  const source = model.graph as ReadMessage | undefined;
  if (source === undefined) {
    throw new DistillateError({
      code: "onnx-invalid",
      message: `${bytes.byteLength} bytes that hold no graph`,
      hint: "Check that the file is whole and is an ONNX model.",
    });
  }
  if (model.functions !== undefined) throw unsupported("functions of its own");
  if (source.sparseInitializer !== undefined) throw unsupported("sparse constants");
  const graph = inferShapes(liftedTo13(readGraph(source, opsetOf(model), external)));
  verify(graph);
  const properties = Object.fromEntries(
    many(model.metadataProps).map(({ key = "", value = "" }) => [key as string, value as string]),
  );
  return {
    graph,
    metadata: {
      producer: text(model.producerName),
      producerVersion: text(model.producerVersion),
      ...(model.docString !== undefined && { description: text(model.docString) }),
      properties,
    },
  };
}

function opsetOf(model: ReadMessage): number {
  const imports = many(model.opsetImport);
  const opset = (imports.find(({ domain = "" }) => domain === "")?.version ?? 0) as number;
  if (opset >= OPSETS.least && opset <= OPSETS.most) return opset;
  throw unsupported(`opset ${opset}, expected ${OPSETS.least} to ${OPSETS.most}`);
}

/** An older file's graph at the lowest opset of the table, where all its ops mean the same there. */
function liftedTo13(graph: Graph): Graph {
  if (graph.opset >= LOWEST) return graph;
  for (const node of graph.nodes) checkLifted(node, graph.opset);
  return { ...graph, opset: LOWEST };
}

function readGraph(source: ReadMessage, opset: number, external: ExternalFiles): Graph {
  const constants = new Map<Edge, Tensor>();
  for (const tensor of many(source.initializer))
    constants.set(text(tensor.name), readTensor(tensor, text(tensor.name), external));
  const nodes: Node[] = [];
  const names = new Set<string>();
  const sources = many(source.node);
  if (sources.length > MAX.nodes) throw unsupported(`${sources.length} nodes, more than ${MAX.nodes}`);
  for (const [index, message] of sources.entries()) {
    const node = readNode(message, index, names, external);
    if (node.op !== "Constant") nodes.push(node);
    else constants.set(node.outputs[0]!, constantOf(node));
  }
  // Before IR version 4 constants were listed among the inputs too.
  const inputs = many(source.input)
    .map(readValue)
    .filter(({ name }) => !constants.has(name));
  const outputs = many(source.output).map(readValue);
  const values = new Map(
    many(source.valueInfo)
      .map(readValue)
      .map((value) => [value.name, value] as const),
  );
  for (const name of values.keys()) if (constants.has(name)) values.delete(name);
  const used = new Set([...nodes.flatMap((node) => node.inputs), ...outputs.map(({ name }) => name)]);
  for (const name of constants.keys()) if (!used.has(name)) constants.delete(name);
  return { name: text(source.name), opset, inputs, outputs, nodes, constants, values };
}

function readNode(message: ReadMessage, index: number, names: Set<string>, external: ExternalFiles): Node {
  const op = text(message.opType);
  const given = text(message.name);
  const name = given !== "" && !names.has(given) ? given : `${given || op}_${index}`;
  names.add(name);
  const domain = text(message.domain);
  const attrs: Record<string, Attr> = {};
  for (const attribute of many(message.attribute)) {
    attrs[text(attribute.name)] = readAttribute(attribute, `${op} ${name}`, external);
  }
  return {
    op,
    domain: domain === "ai.onnx" ? "" : domain,
    name,
    inputs: (message.input ?? []) as readonly string[],
    outputs: (message.output ?? []) as readonly string[],
    attrs,
  };
}

function readAttribute(message: ReadMessage, where: string, external: ExternalFiles): Attr {
  const kind = Object.entries(ATTRIBUTE_TYPES).find(([, type]) => type === message.type)?.[0] as
    | Attr["kind"]
    | undefined;
  const decode = (bytes: unknown): string => new TextDecoder().decode((bytes ?? new Uint8Array()) as Uint8Array);
  switch (kind) {
    case "int":
      return { kind, value: (message.i ?? 0) as number };
    case "float":
      return { kind, value: (message.f ?? 0) as number };
    case "string":
      return { kind, value: decode(message.s) };
    case "ints":
      return { kind, value: (message.ints ?? []) as readonly number[] };
    case "floats":
      return { kind, value: (message.floats ?? []) as readonly number[] };
    case "strings":
      return { kind, value: ((message.strings ?? []) as readonly Uint8Array[]).map(decode) };
    case "tensor":
      return { kind, value: readTensor((message.t ?? {}) as ReadMessage, where, external) };
    default:
      throw unsupported(`attribute ${text(message.name)} of type ${message.type} at ${where} (a subgraph?)`);
  }
}

function constantOf({ name, attrs }: Node): Tensor {
  const floats = attrs.value_floats ?? attrs.value_float;
  const ints = attrs.value_ints ?? attrs.value_int;
  if (attrs.value?.kind === "tensor") return attrs.value.value;
  if (floats?.kind === "floats" || floats?.kind === "float") {
    const list = [floats.value].flat();
    const bytes = new Uint8Array(Float32Array.from(list).buffer);
    return { dtype: "float32", shape: floats.kind === "float" ? [] : [list.length], bytes };
  }
  if (ints?.kind === "ints" || ints?.kind === "int") {
    const list = [ints.value].flat();
    const bytes = new Uint8Array(BigInt64Array.from(list, BigInt).buffer);
    return { dtype: "int64", shape: ints.kind === "int" ? [] : [list.length], bytes };
  }
  throw unsupported(`Constant ${name} with ${Object.keys(attrs).join(", ") || "no value"}`);
}

function readValue(message: ReadMessage): Value {
  const name = text(message.name);
  const type = (message.type as ReadMessage | undefined)?.tensorType as ReadMessage | undefined;
  if (type === undefined) throw unsupported(`value ${name}, which is no tensor`);
  const dims = many((type.shape as ReadMessage | undefined)?.dim);
  const shape = dims.map(({ dimValue, dimParam }, axis): Dim => {
    if (typeof dimValue === "number") return dimValue;
    return (dimParam as string | undefined) || `${name}_${axis}`;
  });
  return { name, dtype: dtypeOf(type.elemType, name), shape };
}
