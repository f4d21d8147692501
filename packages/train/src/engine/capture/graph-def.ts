/**
 * Writes the SavedModel that holds a captured step: SavedModel > MetaGraphDef > GraphDef > NodeDef > AttrValue.
 *
 * Field numbers are those of tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape}.proto and
 * tensorflow/core/protobuf/{saved_model,meta_graph}.proto. Only what a captured step says is here: no functions, no signatures.
 */
import { PbfWriter } from "pbf";

/** A constant's value, little-endian as in memory. */
export interface TensorValue {
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** One attribute of a node. */
export type Attr =
  | { readonly kind: "type" | "int" | "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "shape" | "ints" | "floats"; readonly value: readonly number[] }
  | { readonly kind: "bools"; readonly value: readonly boolean[] }
  | { readonly kind: "tensor"; readonly value: TensorValue };

/** A node; its inputs are `name`, `name:output` or, for a control edge, `^name`. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attrs: Readonly<Record<string, Attr>>;
}

/** The tag under which the graph is found again. */
export const SERVE = "serve";
/** A GraphDef version that every TensorFlow since 2.9 reads. */
const PRODUCER = 1087;

/** The bytes of `saved_model.pb`. Equal nodes give equal bytes. */
export function encodeSavedModel(nodes: readonly GraphNode[]): Uint8Array {
  const writer = new PbfWriter();
  writer.writeVarintField(1, 1);
  writer.writeMessage(2, writeMetaGraph, nodes);
  return writer.finish();
}

function writeMetaGraph(nodes: readonly GraphNode[], writer: PbfWriter): void {
  writer.writeMessage(1, (tag: string, info: PbfWriter) => info.writeStringField(4, tag), SERVE);
  writer.writeMessage(2, writeGraph, nodes);
}

function writeGraph(nodes: readonly GraphNode[], writer: PbfWriter): void {
  for (const node of nodes) writer.writeMessage(1, writeNode, node);
  writer.writeMessage(4, (producer: number, versions: PbfWriter) => versions.writeVarintField(1, producer), PRODUCER);
}

function writeNode({ name, op, inputs, attrs }: GraphNode, writer: PbfWriter): void {
  writer.writeStringField(1, name);
  writer.writeStringField(2, op);
  for (const input of inputs) writer.writeStringField(3, input);
  for (const entry of Object.entries(attrs)) writer.writeMessage(5, writeEntry, entry);
}

function writeEntry([name, attr]: readonly [string, Attr], writer: PbfWriter): void {
  writer.writeStringField(1, name);
  writer.writeMessage(2, writeAttr, attr);
}

const WRITERS: {
  readonly [Kind in Attr["kind"]]: (value: Extract<Attr, { kind: Kind }>["value"], writer: PbfWriter) => void;
} = {
  string: (value, writer) => writer.writeStringField(2, value),
  int: (value, writer) => writer.writeVarintField(3, value),
  float: (value, writer) => writer.writeFloatField(4, value),
  bool: (value, writer) => writer.writeBooleanField(5, value),
  type: (value, writer) => writer.writeVarintField(6, value),
  shape: (value, writer) => writer.writeMessage(7, writeShape, value),
  tensor: (value, writer) => writer.writeMessage(8, writeTensor, value),
  ints: (value, writer) => writer.writeMessage(1, (list, to) => to.writePackedVarint(3, [...list]), value),
  floats: (value, writer) => writer.writeMessage(1, (list, to) => to.writePackedFloat(4, [...list]), value),
  bools: (value, writer) => writer.writeMessage(1, (list, to) => to.writePackedBoolean(5, [...list]), value),
};

function writeAttr({ kind, value }: Attr, writer: PbfWriter): void {
  // A table cannot say that a kind and its value belong together.
  (WRITERS[kind] as (value: Attr["value"], writer: PbfWriter) => void)(value, writer);
}

function writeShape(shape: readonly number[], writer: PbfWriter): void {
  for (const size of shape) {
    writer.writeMessage(2, (value: number, to: PbfWriter) => to.writeVarintField(1, value), size);
  }
}

function writeTensor({ dtype, shape, bytes }: TensorValue, writer: PbfWriter): void {
  writer.writeVarintField(1, dtype);
  writer.writeMessage(2, writeShape, shape);
  writer.writeBytesField(4, bytes);
}
