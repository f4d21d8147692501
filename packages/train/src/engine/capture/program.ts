/**
 * A captured step inside a session of TensorFlow: loaded once, run with one call.
 *
 * The session has its own copy of every variable. Before a run it is given those that changed outside; what a run changed it
 * keeps until somebody reads (see ownership.ts). The addon can only load a SavedModel from a directory and only run to fetched
 * outputs, so the file lives as long as loading takes, and assignments hang on the outputs by control edges.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DistillateError } from "@distillate/bundle";
import type * as tf from "@tensorflow/tfjs-core";
import { DTYPES, type TensorflowBackend } from "./binding.ts";
import { typeOf } from "./graph-builder.ts";
import { type Attr, encodeSavedModel, type GraphNode, SERVE } from "./graph-def.ts";
import { type Precision, roundConvolutions } from "./half-precision.ts";
import { fetchFromOthers, idOf, type Owner, own } from "./ownership.ts";
import type { Reconciled } from "./reconcile.ts";
import { giveOwnRecord } from "./recorder.ts";
import { cutAfterPooling } from "./rectified-pooling.ts";
import { addonOf } from "./watch.ts";

/** A step that runs inside of a session. */
export interface Program extends Owner {
  /** Operations in the graph, the handling of variables included. */
  readonly operations: number;
  run(inputs: readonly tf.Tensor[], feeds: Readonly<Record<string, () => number>>): tf.Tensor[];
  /** Brings tfjs' variables up to date and frees the session. */
  dispose(): void;
}

interface Copy {
  readonly variable: tf.Variable;
  readonly node: string;
  /** Native id that tfjs had for it when both sides were last the same. */
  id: number;
}

/** Loads a step; throws what the addon throws when TensorFlow does not take the graph. */
export function loadProgram(backend: TensorflowBackend, step: Reconciled, precision: Precision): Program {
  const addon = addonOf(backend);
  const copies: readonly Copy[] = step.variables.map((variable, i) => ({ variable, node: `v${i}`, id: -1 }));
  const changed = copies.filter(({ variable }) => step.changes.has(variable));
  const computed = cutAfterPooling(step.nodes);
  const nodes = [
    ...copies.flatMap(variableNodes),
    ...(precision === "bfloat16" ? roundConvolutions(computed) : computed),
  ];
  const outer: number[] = [];
  const feedIds = new Map<string, { readonly value: number; readonly id: number }>();
  const inputNames = [...step.inputs, ...step.fed.values(), ...step.outer.map(({ name }) => name)].map(output).join();
  const outputNames = step.outputs.map(output).join();
  let session: number | undefined = load(nodes, addon);
  let isAhead = false;

  const feedId = (name: string, value: number): number => {
    const known = feedIds.get(name);
    if (known?.value === value) return known.id;
    if (known) addon.deleteTensor(known.id);
    const id = addon.createTensor([], DTYPES.float32, Float32Array.of(value));
    feedIds.set(name, { value, id });
    return id;
  };

  const push = (): void => {
    const behind: Copy[] = [];
    for (const copy of copies) {
      const { variable } = copy;
      if (variable.isDisposed) throw gone(variable);
      fetchFromOthers(variable.dataId, program);
      // A clone shares the record and shall keep this value.
      if (backend.refCount(variable.dataId) > 1) {
        const isCurrent = idOf(backend, variable) === copy.id;
        giveOwnRecord(backend, variable);
        if (isCurrent) copy.id = idOf(backend, variable);
      }
      const id = idOf(backend, variable);
      if (id === copy.id) continue;
      copy.id = id;
      behind.push(copy);
    }
    if (behind.length === 0) return;
    const done = addon.runSavedModel(
      session!,
      behind.map(({ id }) => id),
      behind.map(({ node }) => `${node}_new:0`).join(),
      behind.map(({ node }) => `${node}_set:0`).join(),
    );
    for (const { id } of done) addon.deleteTensor(id);
  };

  const program: Program = {
    operations: nodes.length,
    run(inputs, feeds) {
      push();
      const ids = [
        ...backend.getInputTensorIds(inputs),
        ...[...step.fed.keys()].map((name) => feedId(name, feeds[name]!())),
        ...outer,
      ];
      let made: ReturnType<typeof addon.runSavedModel>;
      try {
        made = addon.runSavedModel(session!, ids, inputNames, outputNames);
      } catch (error) {
        throw failed(error);
      }
      isAhead = changed.length > 0;
      for (const { variable } of changed) own(backend, variable.dataId, program);
      return made.map((metadata) => backend.createOutputTensor(metadata));
    },
    sync() {
      if (!isAhead) return;
      isAhead = false;
      // What JavaScript wrote since is newer than what is here.
      const ours = changed.filter(({ variable, id }) => !variable.isDisposed && idOf(backend, variable) === id);
      if (ours.length === 0) return;
      const names = ours.map(({ node }) => `${node}_get:0`).join();
      const values = addon.runSavedModel(session!, [], "", names);
      for (const [i, copy] of ours.entries()) {
        const record = backend.tensorMap.get(copy.variable.dataId);
        addon.deleteTensor(record.id);
        copy.id = values[i]!.id;
        record.id = copy.id;
      }
    },
    dispose() {
      if (session === undefined) return;
      program.sync();
      addon.deleteSavedModel(session);
      session = undefined;
      for (const id of [...outer, ...[...feedIds.values()].map(({ id }) => id)]) addon.deleteTensor(id);
    },
  };
  try {
    // Ids of our own for tensors from outside: they hold the value whatever becomes of the tensor.
    for (const { id } of step.outer) outer.push(addon.executeOp("Identity", [], [id], 1)[0]!.id);
    push();
  } catch (error) {
    program.dispose();
    throw error;
  }
  return program;
}

function load(nodes: readonly GraphNode[], addon: ReturnType<typeof addonOf>): number {
  const directory = mkdtempSync(join(tmpdir(), "distillate-step-"));
  try {
    writeFileSync(join(directory, "saved_model.pb"), encodeSavedModel(nodes));
    return addon.loadSavedModel(directory, SERVE);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function variableNodes({ variable, node }: Copy): readonly GraphNode[] {
  const type = typeOf(DTYPES[variable.dtype as keyof typeof DTYPES]);
  const shape: Attr = { kind: "shape", value: variable.shape };
  const name: Attr = { kind: "string", value: node };
  const attrs = { dtype: type };
  return [
    { name: node, op: "VarHandleOp", inputs: [], attrs: { ...attrs, shape, shared_name: name } },
    { name: `${node}_new`, op: "Placeholder", inputs: [], attrs: { ...attrs, shape } },
    { name: `${node}_assign`, op: "AssignVariableOp", inputs: [node, `${node}_new`], attrs },
    { name: `${node}_set`, op: "Identity", inputs: [`${node}_new`, `^${node}_assign`], attrs: { T: type } },
    { name: `${node}_get`, op: "ReadVariableOp", inputs: [node], attrs },
  ];
}

function output(name: string): string {
  return `${name}:0`;
}

function gone({ name }: tf.Variable): DistillateError {
  return new DistillateError({
    code: "variable-disposed",
    message: `the captured step uses the variable ${name}, which was disposed of`,
    hint: "Dispose of the step before its variables, and compile a new one for new variables.",
  });
}

function failed(error: unknown): DistillateError {
  return new DistillateError({
    code: "step-failed",
    message: `the captured step failed: ${error instanceof Error ? error.message : String(error)}`,
    hint: "Its variables may be half updated: go on from the last saved state.",
    cause: error,
  });
}
