import { PbfWriter as Pbf } from "pbf";
import type { Attr, Graph, Node, Tensor, Value } from "../graph.ts";
import { ATTRIBUTE_TYPES, DATA_TYPES, type Field, MESSAGES, type MessageName } from "./messages.ts";

/** What a model file says beside its graph. */
export interface ModelMetadata {
  readonly producer: string;
  readonly producerVersion: string;
  readonly description?: string;
  /** Free key and value pairs, written in the order of their keys. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** First opset of each IR version from 8 on (ONNX, docs/Versioning.md); a file says the lowest that its opset needs. */
const IR_VERSIONS: readonly (readonly [opset: number, ir: number])[] = [
  [21, 10],
  [19, 9],
  [15, 8],
  [0, 7],
];

type Message = { readonly [field: string]: unknown };

/** Writes a graph as an ONNX file. Equal graphs give equal bytes. */
export function encodeModel(graph: Graph, metadata: ModelMetadata): Uint8Array {
  const domains = [...new Set(graph.nodes.map(({ domain }) => domain))].filter((domain) => domain !== "").sort();
  const writer = new Pbf(new Uint8Array(roomFor(graph)));
  writeMessage(writer, "Model", {
    irVersion: IR_VERSIONS.find(([opset]) => graph.opset >= opset)![1],
    producerName: metadata.producer,
    producerVersion: metadata.producerVersion,
    docString: metadata.description,
    graph: graphMessage(graph),
    opsetImport: [{ version: graph.opset }, ...domains.map((domain) => ({ domain, version: 1 }))],
    metadataProps: Object.entries(metadata.properties ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({ key, value })),
  });
  return writer.finish();
}

/** About as many bytes as the file will have: a writer that grows copies all of it, and has it twice. */
function roomFor({ nodes, constants, values }: Graph): number {
  let bytes = 4096 + 256 * (nodes.length + constants.size + values.size);
  for (const tensor of constants.values()) bytes += tensor.bytes.byteLength;
  return bytes;
}

function graphMessage(graph: Graph): Message {
  const known = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  return {
    node: graph.nodes.map(nodeMessage),
    name: graph.name,
    initializer: [...graph.constants].map(([name, tensor]) => ({ ...tensorMessage(tensor), name })),
    input: graph.inputs.map(valueMessage),
    output: graph.outputs.map(valueMessage),
    valueInfo: [...graph.values.values()].filter(({ name }) => !known.has(name)).map(valueMessage),
  };
}

function nodeMessage({ op, domain, name, inputs, outputs, attrs }: Node): Message {
  const attribute = Object.keys(attrs)
    .sort()
    .map((key) => attributeMessage(key, attrs[key]!));
  return { input: inputs, output: outputs, name, opType: op, attribute, domain: domain || undefined };
}

function attributeMessage(name: string, attr: Attr): Message {
  const type = ATTRIBUTE_TYPES[attr.kind];
  const text = new TextEncoder();
  switch (attr.kind) {
    case "int":
      return { name, type, i: attr.value };
    case "float":
      return { name, type, f: attr.value };
    case "string":
      return { name, type, s: text.encode(attr.value) };
    case "ints":
      return { name, type, ints: attr.value };
    case "floats":
      return { name, type, floats: attr.value };
    case "strings":
      return { name, type, strings: attr.value.map((value) => text.encode(value)) };
    case "tensor":
      return { name, type, t: tensorMessage(attr.value) };
  }
}

function tensorMessage({ dtype, shape, bytes }: Tensor): Message {
  return { dims: shape, dataType: DATA_TYPES[dtype], rawData: bytes };
}

function valueMessage({ name, dtype, shape }: Value): Message {
  const dim = shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: DATA_TYPES[dtype], shape: { dim } } } };
}

function writeMessage(writer: Pbf, name: MessageName, message: Message): void {
  for (const [field, value] of Object.entries(message)) {
    const spec = MESSAGES[name]![field];
    if (spec === undefined) throw new Error(`message ${name} has no field ${field}`);
    if (value !== undefined) writeField(writer, spec, value);
  }
}

function writeField(writer: Pbf, { number, kind, repeated }: Field, value: unknown): void {
  const values = repeated ? (value as readonly unknown[]) : [value];
  if (repeated && kind === "int64") {
    if (values.length > 0) writer.writePackedVarint(number, (values as number[]).map(safeInteger));
    return;
  }
  for (const item of values) {
    switch (kind) {
      case "int64":
        writer.writeVarintField(number, safeInteger(item as number));
        break;
      case "float":
        writer.writeFloatField(number, item as number);
        break;
      case "string":
        writer.writeStringField(number, item as string);
        break;
      case "bytes":
        writer.writeBytesField(number, item as Uint8Array);
        break;
      default:
        writer.writeMessage(number, (child: Message, inner: Pbf) => writeMessage(inner, kind, child), item as Message);
    }
  }
}

/** Integers travel as doubles here: beyond 2^53 they would be written wrong. */
function safeInteger(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error(`${value} cannot be written as an integer attribute`);
  return value;
}
