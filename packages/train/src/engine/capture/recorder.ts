/**
 * Records one eager step as a graph.
 *
 * Every native id names one value for good, so a map from ids to node names is all it takes: clones, reshapes and assignments
 * need no treatment of their own. What a variable held before the step is one read of it; what it holds afterwards, where that is
 * another id, is one assignment, after the read. Values that JavaScript makes become constants; tensors from before the step
 * are fed by their id.
 */
import type * as tf from "@tensorflow/tfjs-core";
import {
  type Binding,
  DTYPES,
  type HostValues,
  type OpAttr,
  type TensorflowBackend,
  type TensorMetadata,
} from "./binding.ts";
import { buildGraph, type HostConstant, typeOf } from "./graph-builder.ts";
import type { Attr, GraphNode } from "./graph-def.ts";
import { fetchFromOthers, idOf } from "./ownership.ts";
import { hasKeptVariables, registeredVariables } from "./registered-variables.ts";
import type { Obstacle, Recorded } from "./step-recorder.ts";
import { addonOf, watch } from "./watch.ts";

/** A step as a graph. */
export interface Recording {
  readonly nodes: readonly GraphNode[];
  /** Placeholders of the step's inputs, in their order. */
  readonly inputs: readonly string[];
  /** Placeholders of tensors from before the step, and which those are. */
  readonly outer: readonly { readonly name: string; readonly id: number }[];
  readonly outputs: readonly string[];
  /** The variables that take part: number `i` is the node `v<i>`, which the session adds. */
  readonly variables: readonly tf.Variable[];
  /** Which of them the step changes. */
  readonly changes: ReadonlySet<tf.Variable>;
}

/** An update of variables by one op of TensorFlow on the variables themselves. */
export interface InPlaceUpdate {
  readonly op: string;
  readonly attrs: Readonly<Record<string, Attr>>;
  /** The op's first inputs. */
  readonly variables: readonly tf.Variable[];
  /** Its further inputs. */
  readonly inputs: readonly tf.Tensor[];
}

let updating: ((update: () => InPlaceUpdate, composed: () => void) => void) | undefined;

/**
 * Runs `composed`. While a step is recorded, the graph gets the one op of `update` in its place, which must do the same.
 * A recorded variable is then updated where it lies, instead of by a chain of ops and a copy.
 */
export function updateInPlace(update: () => InPlaceUpdate, composed: () => void): void {
  if (updating) updating(update, composed);
  else composed();
}

/**
 * Runs a step and records it. There is neither a recording nor an obstacle when the step made or disposed of variables: once
 * it no longer does, it can be recorded.
 */
export function recordStep(
  backend: TensorflowBackend,
  inputs: readonly tf.Tensor[],
  step: () => readonly tf.Tensor[],
): Recorded<Recording> {
  const addon = addonOf(backend);
  const graph = buildGraph();
  const symbols = new Map<number, string>();
  const makers = new Map<number, string>();
  const hosts = new Map<number, HostConstant>();
  const outer: { name: string; id: number }[] = [];
  const variables: tf.Variable[] = [];
  const reads = new Map<tf.Variable, string>();
  const writes = new Map<tf.Variable, string>();
  const inPlace = new Map<number, tf.Variable>();
  let obstacle: Obstacle | undefined;
  let paused = false;

  const before = registeredVariables();
  const starts = new Map<tf.Variable, number>();
  const holders = new Map<number, tf.Variable>();
  for (const variable of before) {
    fetchFromOthers(variable.dataId);
    if (holders.has(idOf(backend, variable))) giveOwnRecord(backend, variable);
    const id = idOf(backend, variable);
    starts.set(variable, id);
    holders.set(id, variable);
  }

  const fail = (reason: string, op?: string): string => {
    obstacle ??= { reason, ...(op !== undefined && { op }) };
    return "";
  };
  const nodeOf = (variable: tf.Variable): string => {
    if (!variables.includes(variable)) variables.push(variable);
    return `v${variables.indexOf(variable)}`;
  };
  const readAttrs = (variable: tf.Variable): Readonly<Record<string, Attr>> => ({
    dtype: typeOf(DTYPES[variable.dtype as keyof typeof DTYPES]),
  });
  const firstRead = (variable: tf.Variable): string => {
    const read = reads.get(variable) ?? graph.add("ReadVariableOp", [nodeOf(variable)], readAttrs(variable));
    reads.set(variable, read);
    return read;
  };
  /** What must be over before a variable changes. */
  const order = (variable: tf.Variable): readonly string[] =>
    [firstRead(variable), writes.get(variable)].filter((name) => name !== undefined).map((name) => `^${name}`);
  const assign = (variable: tf.Variable, id: number): void => {
    const value = symbolOf(id, "AssignVariableOp");
    const from = [nodeOf(variable), value, ...order(variable)];
    writes.set(variable, graph.add("AssignVariableOp", from, readAttrs(variable)));
  };
  const isWritten = (variable: tf.Variable, id: number): boolean =>
    id === starts.get(variable) || inPlace.get(id) === variable;

  const findSymbol = (id: number, op: string): string => {
    const held = holders.get(id);
    if (held) return firstRead(held);
    const updated = inPlace.get(id);
    if (updated) {
      return graph.add("ReadVariableOp", [nodeOf(updated), `^${writes.get(updated)}`], readAttrs(updated));
    }
    const host = hosts.get(id);
    if (host) {
      const isKnown = (Object.values(DTYPES) as readonly number[]).includes(host.dtype);
      return isKnown ? graph.constant(host) : fail("a constant that is neither float, int32 nor bool", op);
    }
    const maker = makers.get(id);
    if (maker !== undefined) return fail(`a value of ${maker} that was computed beside the graph`, op);
    // The binding tells type and shape only of what it makes.
    const [copy] = addon.executeOp("Identity", [], [id], 1);
    const name = graph.placeholder(copy!.dtype, copy!.shape);
    addon.deleteTensor(copy!.id);
    outer.push({ name, id });
    return name;
  };
  const symbolOf = (id: number, op: string): string => {
    const symbol = symbols.get(id) ?? findSymbol(id, op);
    symbols.set(id, symbol);
    return symbol;
  };

  const watcher = {
    created(id: number, shape: readonly number[], dtype: number, values: HostValues): void {
      hosts.set(id, { shape: [...shape], dtype, values: values as HostConstant["values"] });
    },
    executed(op: string, attrs: readonly OpAttr[], from: readonly number[], made: readonly TensorMetadata[]): void {
      for (const { id } of made) makers.set(id, op);
      if (obstacle || paused) return;
      const entries = attrs.map((attr) => [attr.name, attrOf(addon, attr)] as const);
      const strange = entries.find(([, attr]) => attr === undefined);
      if (strange) return void fail(`its attribute ${strange[0]} is of a kind that no graph can hold`, op);
      const inputs = from.map((id) => symbolOf(id, op));
      const name = graph.add(op, inputs, Object.fromEntries(entries) as Record<string, Attr>);
      for (const [output, { id }] of made.entries()) symbols.set(id, output === 0 ? name : `${name}:${output}`);
    },
    read(id: number): void {
      const what = makers.get(id) ?? (holders.has(id) ? "a variable" : inputIds.includes(id) ? "an input" : undefined);
      if (what !== undefined) fail(`JavaScript reads the value of ${what} inside of the step`, makers.get(id));
    },
  };
  const inputIds = inputs.map((input) => backend.getInputTensorIds([input])[0]!);
  const placeholders = inputs.map(({ dtype, shape }, place) => {
    const name = graph.placeholder(DTYPES[dtype as keyof typeof DTYPES], shape);
    symbols.set(inputIds[place]!, name);
    return name;
  });
  if (new Set(inputIds).size < inputIds.length) fail("two inputs are one tensor");

  updating = (update, composed) => {
    const { op, attrs, variables: targets, inputs: further } = update();
    for (const variable of targets) {
      const id = idOf(backend, variable);
      if (!isWritten(variable, id)) assign(variable, id);
    }
    const operands = further.map((tensor) => symbolOf(backend.getInputTensorIds([tensor])[0]!, op));
    const from = [...targets.map(nodeOf), ...operands, ...targets.flatMap(order)];
    const name = graph.add(op, from, attrs);
    paused = true;
    try {
      composed();
    } finally {
      paused = false;
    }
    for (const variable of targets) {
      writes.set(variable, name);
      inPlace.set(idOf(backend, variable), variable);
    }
  };
  let outputs: readonly tf.Tensor[];
  try {
    outputs = watch(backend, watcher, step);
  } finally {
    updating = undefined;
  }

  if (!hasKeptVariables(before)) return { outputs };
  for (const variable of before) {
    const id = idOf(backend, variable);
    if (!isWritten(variable, id)) assign(variable, id);
  }
  const done = graph.add(
    "NoOp",
    [...writes.values()].map((name) => `^${name}`),
  );
  const results = outputs.map((output) => {
    const dtype = typeOf(DTYPES[output.dtype as keyof typeof DTYPES]);
    return graph.add("Identity", [symbolOf(idOf(backend, output), "Identity"), `^${done}`], { T: dtype });
  });
  if (obstacle) return { outputs, obstacle };
  const changes = new Set(writes.keys());
  return {
    outputs,
    recording: { nodes: graph.nodes, inputs: placeholders, outer, outputs: results, variables, changes },
  };
}

/** An attribute as a graph holds it; `undefined` for one that this does not know. */
function attrOf(addon: Binding, { type: kind, value }: OpAttr): Attr | undefined {
  const many = Array.isArray(value);
  switch (kind) {
    case addon.TF_ATTR_STRING:
      return many ? undefined : { kind: "string", value: value as string };
    case addon.TF_ATTR_INT:
      return many ? { kind: "ints", value: value as number[] } : { kind: "int", value: Math.trunc(value as number) };
    case addon.TF_ATTR_FLOAT:
      return many ? { kind: "floats", value: value as number[] } : { kind: "float", value: value as number };
    case addon.TF_ATTR_BOOL:
      return many ? { kind: "bools", value: value as boolean[] } : { kind: "bool", value: value as boolean };
    case addon.TF_ATTR_TYPE:
      return many ? undefined : { kind: "type", value: value as number };
    case addon.TF_ATTR_SHAPE:
      return { kind: "shape", value: value as number[] };
    default:
      return undefined;
  }
}

/** Two variables may share one record; a graph needs to tell them apart, and so does whoever holds a clone. */
export function giveOwnRecord(backend: TensorflowBackend, variable: tf.Variable): void {
  const [copy] = addonOf(backend).executeOp("Identity", [], [idOf(backend, variable)], 1);
  const own = backend.createOutputTensor(copy!);
  variable.assign(own);
  own.dispose();
}
