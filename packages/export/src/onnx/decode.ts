import { DistillateError } from "@distillate/bundle";
import type { Attr, Dim, DType, Edge, Graph, Node, Tensor, Value } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { verify } from "../spec.ts";
import { ELEMENT_BYTES } from "../tensor.ts";
import type { ModelMetadata } from "./encode.ts";
import { ATTRIBUTE_TYPES, DATA_TYPES } from "./messages.ts";
import { type ReadMessage, readMessage } from "./read-message.ts";

/** A model read from a file. */
export interface DecodedModel {
  readonly graph: Graph;
  readonly metadata: ModelMetadata;
}

/** What a file from anywhere may ask for. */
const MAX = { fileBytes: 1 << 30, nodes: 100_000, rank: 8, dimension: 2 ** 31 } as const;
const OPSETS = { least: 13, most: 21 } as const;

/**
 * Reads an ONNX file, ours or foreign, of ops in the table: every value typed and shaped, nameless nodes named, Constant nodes
 * and old-style initialisers turned into constants.
 *
 * @throws DistillateError `onnx-invalid` for bytes that are no such model, `onnx-unsupported` for what is outside of the table
 * (control flow, functions, external data, other opsets), `shape-mismatch` or `graph-invalid`.
 */
export function decodeModel(bytes: Uint8Array): DecodedModel {
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
  const graph = inferShapes(readGraph(source, opsetOf(model)));
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

function readGraph(source: ReadMessage, opset: number): Graph {
  const constants = new Map<Edge, Tensor>();
  for (const tensor of many(source.initializer))
    constants.set(text(tensor.name), readTensor(tensor, text(tensor.name)));
  const nodes: Node[] = [];
  const names = new Set<string>();
  const sources = many(source.node);
  if (sources.length > MAX.nodes) throw unsupported(`${sources.length} nodes, more than ${MAX.nodes}`);
  for (const [index, message] of sources.entries()) {
    const node = readNode(message, index, names);
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

function readNode(message: ReadMessage, index: number, names: Set<string>): Node {
  const op = text(message.opType);
  const given = text(message.name);
  const name = given !== "" && !names.has(given) ? given : `${given || op}_${index}`;
  names.add(name);
  const domain = text(message.domain);
  const attrs: Record<string, Attr> = {};
  for (const attribute of many(message.attribute)) {
    attrs[text(attribute.name)] = readAttribute(attribute, `${op} ${name}`);
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

function readAttribute(message: ReadMessage, where: string): Attr {
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
      return { kind, value: readTensor((message.t ?? {}) as ReadMessage, where) };
    default:
      throw unsupported(`attribute ${text(message.name)} of type ${message.type} at ${where} (a subgraph?)`);
  }
}

function readTensor(message: ReadMessage, where: string): Tensor {
  if (message.externalData !== undefined) throw unsupported(`constant ${where} in another file`);
  const dtype = dtypeOf(message.dataType, where);
  const shape = (message.dims ?? []) as readonly number[];
  if (
    shape.length > MAX.rank ||
    shape.some((size) => !Number.isSafeInteger(size) || size < 0 || size >= MAX.dimension)
  ) {
    throw unsupported(`constant ${where} of shape ${shape.slice(0, 12).join(" x ")}`);
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  const bytes = (message.rawData as Uint8Array | undefined) ?? unpacked(message, dtype);
  if (bytes.byteLength === elements * ELEMENT_BYTES[dtype]) return { dtype, shape, bytes };
  throw new DistillateError({
    code: "onnx-invalid",
    message: `constant ${where} has ${bytes.byteLength} bytes, expected ${elements * ELEMENT_BYTES[dtype]} for ${dtype} of shape ${shape.join(" x ") || "()"}`,
    hint: "Check that the file is whole; export it again.",
  });
}

/** Values written number by number: floats in one field, 64-bit integers in another, all smaller ones in a third. */
function unpacked(message: ReadMessage, dtype: DType): Uint8Array {
  const numbers = (message.floatData ?? message.int64Data ?? message.int32Data ?? []) as readonly number[];
  const bytes = new Uint8Array(numbers.length * ELEMENT_BYTES[dtype]);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of numbers.entries()) {
    if (dtype === "float32") view.setFloat32(i * 4, value, true);
    else if (dtype === "int64") view.setBigInt64(i * 8, BigInt(value), true);
    else if (ELEMENT_BYTES[dtype] === 4) view.setInt32(i * 4, value, true);
    else if (ELEMENT_BYTES[dtype] === 2) view.setInt16(i * 2, value, true);
    else view.setInt8(i, value);
  }
  return bytes;
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

function dtypeOf(code: unknown, where: string): DType {
  const found = Object.entries(DATA_TYPES).find(([, type]) => type === code);
  if (found) return found[0] as DType;
  throw unsupported(`${where} with elements of type ${String(code ?? "unknown")}`);
}

function many(value: unknown): readonly ReadMessage[] {
  return (value ?? []) as readonly ReadMessage[];
}

function text(value: unknown): string {
  return (value ?? "") as string;
}

function unsupported(what: string): DistillateError {
  return new DistillateError({
    code: "onnx-unsupported",
    message: `the ONNX file has ${what}`,
    hint: "Export it as a plain inference graph at opset 13 to 21 with its weights inside.",
  });
}
