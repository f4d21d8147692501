import { PbfReader } from "pbf";
import { expect, test } from "vitest";
import { buildGraph, typeOf } from "./graph-builder.ts";
import { encodeSavedModel, type GraphNode } from "./graph-def.ts";

type Field = number | Uint8Array;

/** A message as its fields by number, in their order: read without the schema that wrote it. */
function fieldsOf(bytes: Uint8Array): readonly (readonly [number, Field])[] {
  const reader = new PbfReader(bytes);
  const fields: [number, Field][] = [];
  reader.readFields((tag, _result, pbf) => {
    const wire = pbf!.type;
    fields.push([tag, wire === 0 ? pbf!.readVarint(true) : wire === 5 ? pbf!.readFloat() : pbf!.readBytes().slice()]);
  }, undefined);
  return fields;
}
const all = (bytes: Uint8Array, field: number): readonly Field[] =>
  fieldsOf(bytes).flatMap(([number, value]) => (number === field ? [value] : []));
const one = (bytes: Uint8Array, ...path: readonly number[]): Field =>
  path.reduce<Field>((value, field) => all(value as Uint8Array, field)[0]!, bytes);
const text = (field: Field): string => Buffer.from(field as Uint8Array).toString();

const node = (attrs: GraphNode["attrs"]): Uint8Array =>
  one(encodeSavedModel([{ name: "a", op: "Op", inputs: ["b", "c:1", "^d"], attrs }]), 2, 2, 1) as Uint8Array;
const attr = (value: GraphNode["attrs"][string]): Uint8Array => one(node({ x: value }), 5, 2) as Uint8Array;

test("nodes stand in SavedModel > MetaGraphDef (tag serve) > GraphDef, with names, ops and inputs", () => {
  const model = encodeSavedModel([
    { name: "a", op: "Placeholder", inputs: [], attrs: {} },
    { name: "b", op: "Neg", inputs: ["a", "^a"], attrs: {} },
  ]);
  expect(text(one(model, 2, 1, 4))).toBe("serve");
  const nodes = all(one(model, 2, 2) as Uint8Array, 1) as Uint8Array[];
  expect(nodes.map((each) => [text(one(each, 1)), text(one(each, 2))])).toEqual([
    ["a", "Placeholder"],
    ["b", "Neg"],
  ]);
  expect(all(nodes[1]!, 3).map(text)).toEqual(["a", "^a"]);
});

test("every kind of attribute is in its own field of AttrValue", () => {
  expect(text(one(node({ x: { kind: "bool", value: true } }), 5, 1))).toBe("x");
  expect(text(one(attr({ kind: "string", value: "SAME" }), 2))).toBe("SAME");
  expect(one(attr({ kind: "int", value: -3 }), 3)).toBe(-3);
  expect(one(attr({ kind: "float", value: 0.5 }), 4)).toBe(0.5);
  expect(one(attr({ kind: "bool", value: false }), 5)).toBe(0);
  expect(one(attr({ kind: "type", value: 10 }), 6)).toBe(10);
  const dims = all(one(attr({ kind: "shape", value: [2, 300] }), 7) as Uint8Array, 2) as Uint8Array[];
  expect(dims.map((dim) => one(dim, 1))).toEqual([2, 300]);
  expect([...(one(attr({ kind: "ints", value: [1, 300] }), 1, 3) as Uint8Array)]).toEqual([1, 0xac, 2]);
  expect([...(one(attr({ kind: "bools", value: [true, false] }), 1, 5) as Uint8Array)]).toEqual([1, 0]);
  expect((one(attr({ kind: "floats", value: [1, 2] }), 1, 4) as Uint8Array).length).toBe(8);
  const tensor = { dtype: 3, shape: [], bytes: Uint8Array.of(7, 0, 0, 0) };
  const written = one(attr({ kind: "tensor", value: tensor }), 8) as Uint8Array;
  expect([one(written, 1), [...(one(written, 4) as Uint8Array)]]).toEqual([3, [7, 0, 0, 0]]);
});

test("an empty list is a list, not nothing", () => {
  expect(fieldsOf(attr({ kind: "ints", value: [] }))).toEqual([[1, new Uint8Array()]]);
});

test("constants are written once, and uniform ones as a Fill", () => {
  const graph = buildGraph();
  const scalar = { shape: [], dtype: 1, values: Float32Array.of(2) };
  expect(graph.constant(scalar)).toBe(graph.constant({ ...scalar, values: Float32Array.of(2) }));
  expect(graph.constant(scalar)).not.toBe(graph.constant({ ...scalar, shape: [1] }));
  expect(graph.constant(scalar)).not.toBe(graph.constant({ shape: [], dtype: 3, values: Int32Array.of(0x40000000) }));
  graph.constant({ shape: [64, 64, 64], dtype: 1, values: new Float32Array(64 ** 3).fill(1) });
  const fill = graph.nodes.at(-1)!;
  expect([fill.op, fill.attrs.T]).toEqual(["Fill", typeOf(1)]);
  expect(encodeSavedModel(graph.nodes).length).toBeLessThan(1000);
});

test("a constant is what the array held then", () => {
  const graph = buildGraph();
  const values = Float32Array.of(1, 2);
  graph.constant({ shape: [2], dtype: 1, values });
  values[0] = 9;
  const written = graph.nodes[0]!.attrs.value!;
  expect(written.kind === "tensor" && new Float32Array(written.value.bytes.slice().buffer)[0]).toBe(1);
});
