/**
 * Reads protobuf messages by the table of `messages.ts`, with every length held against what is there: a file from anywhere
 * ends in an error of ours, never in a crash, a hang or a huge allocation.
 *
 * Protocol Buffers encoding: https://protobuf.dev/programming-guides/encoding/
 */
import { DistillateError } from "@distillate/bundle";
import { PbfReader } from "pbf";
import { type Field, MESSAGES, type MessageName } from "./messages.ts";

/** A message as read: each field that occurs; repeated ones as arrays. */
export type ReadMessage = { readonly [field: string]: unknown };

/** Enough for models of a hundred thousand nodes; what a small file can blow up to stays within memory. */
const MAX_VALUES = 20_000_000;

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * Reads one message from the whole of `bytes`.
 *
 * @throws DistillateError `onnx-invalid` naming message, field and offset.
 */
export function readMessage(bytes: Uint8Array, name: MessageName): ReadMessage {
  const budget = { values: MAX_VALUES };
  return read(new PbfReader(bytes), name, bytes.byteLength, budget);
}

interface Budget {
  values: number;
}

function read(reader: PbfReader, name: MessageName, end: number, budget: Budget): ReadMessage {
  const message: Record<string, unknown> = {};
  const fields = FIELDS[name]!;
  while (reader.pos < end) {
    const at = reader.pos;
    const tag = varint(reader, end, false);
    const found = fields.get(tag >>> 3);
    const wire = tag & 7;
    if (--budget.values < 0) throw invalid(`more than ${MAX_VALUES} values`, name, at);
    if (found === undefined) skip(reader, wire, end, name);
    else {
      const [key, field] = found;
      const values = readField(reader, field, wire, end, budget, `${name}.${key}`);
      if (!field.repeated) message[key] = values.at(-1);
      else if (message[key] === undefined) message[key] = values;
      else for (const value of values) (message[key] as unknown[]).push(value);
    }
    if (reader.pos > end) throw invalid("a value that ends beyond its message", name, at);
  }
  return message;
}

function readField(
  reader: PbfReader,
  { kind, repeated }: Field,
  wire: number,
  end: number,
  budget: Budget,
  where: string,
): unknown[] {
  const at = reader.pos;
  const expect = (expected: number): void => {
    if (wire !== expected) throw invalid(`wire type ${wire}, expected ${expected}`, where, at);
  };
  if (kind === "int64" || kind === "float") {
    const scalarWire = kind === "int64" ? WIRE.varint : WIRE.fixed32;
    if (!repeated || wire !== WIRE.bytes) {
      expect(scalarWire);
      return [scalar(reader, kind, end, where)];
    }
    const length = lengthOf(reader, end, where);
    const stop = reader.pos + length;
    const values: number[] = [];
    while (reader.pos < stop) {
      if (--budget.values < 0) throw invalid(`more than ${MAX_VALUES} values`, where, at);
      values.push(scalar(reader, kind, stop, where));
    }
    return values;
  }
  expect(WIRE.bytes);
  const length = lengthOf(reader, end, where);
  const start = reader.pos;
  if (kind === "string" || kind === "bytes") {
    reader.pos = start + length;
    const bytes = reader.buf.subarray(start, start + length);
    return [kind === "bytes" ? bytes : new TextDecoder().decode(bytes)];
  }
  return [read(reader, kind, start + length, budget)];
}

function scalar(reader: PbfReader, kind: "int64" | "float", end: number, where: string): number {
  if (kind === "int64") return varint(reader, end, true);
  if (end - reader.pos < 4) throw invalid("a number that is cut off", where, reader.pos);
  return reader.readFloat();
}

/** A varint takes ten bytes at most; its last one has the high bit clear. */
function varint(reader: PbfReader, end: number, isSigned: boolean): number {
  const start = reader.pos;
  let last = start;
  while (last < end && last < start + 10 && reader.buf[last]! >= 0x80) last++;
  if (last >= end || last >= start + 10) throw invalid("an integer without an end", "a message", start);
  return reader.readVarint(isSigned);
}

function lengthOf(reader: PbfReader, end: number, where: string): number {
  const at = reader.pos;
  const length = varint(reader, end, false);
  if (length > end - reader.pos)
    throw invalid(`a length of ${length}, but ${end - reader.pos} bytes are left`, where, at);
  return length;
}

function skip(reader: PbfReader, wire: number, end: number, where: string): void {
  const at = reader.pos;
  if (wire === WIRE.varint) varint(reader, end, false);
  else if (wire === WIRE.bytes) {
    const length = lengthOf(reader, end, where);
    reader.pos += length;
  } else if (wire === WIRE.fixed32 || wire === WIRE.fixed64) reader.pos += wire === WIRE.fixed32 ? 4 : 8;
  else throw invalid(`wire type ${wire}`, where, at);
}

const FIELDS: Readonly<Record<string, ReadonlyMap<number, readonly [string, Field]>>> = Object.fromEntries(
  Object.entries(MESSAGES).map(([name, fields]) => [
    name,
    new Map(Object.entries(fields).map(([key, field]) => [field.number, [key, field] as const])),
  ]),
);

function invalid(found: string, where: string, offset: number): DistillateError {
  return new DistillateError({
    code: "onnx-invalid",
    message: `the ONNX file has ${found} in ${where} at byte ${offset}`,
    hint: "Check that the file is whole and is an ONNX model; copy or export it again.",
  });
}

/** A repeated field; none where it does not occur. */
export function many(value: unknown): readonly ReadMessage[] {
  return (value ?? []) as readonly ReadMessage[];
}

/** A string field; empty where it does not occur, as protobuf has it. */
export function text(value: unknown): string {
  return (value ?? "") as string;
}

/** The error for what an ONNX file may hold and this reader does not. */
export function unsupported(what: string): DistillateError {
  return new DistillateError({
    code: "onnx-unsupported",
    message: `the ONNX file has ${what}`,
    hint: "Export it as a plain inference graph, at opset 13 to 21 where its ops need that.",
  });
}
