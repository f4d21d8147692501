/**
 * Records one eager step of the wasm engine as the kernels that it ran.
 *
 * A data id names one value for good, so a map from data ids to numbers is all it takes: clones, reshapes and assignments need no
 * treatment of their own, and kernels that only give data another shape are left out. What a variable held before the step is a
 * datum that is looked up anew each time; tensors that JavaScript makes inside of the step are constants.
 */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { hasKeptVariables, registeredVariables } from "../capture/registered-variables.ts";
import type { Obstacle, Recorded } from "../capture/step-recorder.ts";
import { type KernelWatcher, watchKernels } from "./watch-kernels.ts";

/** One of a step's values, and how a kernel or a caller sees it. */
export interface Operand {
  readonly datum: number;
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
}

/** A kernel that ran. */
export interface KernelRun {
  readonly kernel: string;
  readonly run: tf.KernelFunc;
  /** By name, or by place for kernels that take a list. */
  readonly inputs: ReadonlyMap<string, Operand>;
  readonly takesList: boolean;
  readonly attrs: tf.NamedAttrMap | undefined;
  /** Data that it made. */
  readonly outputs: readonly number[];
}

/** A step as the kernels that it ran. */
export interface KernelRecording {
  readonly runs: readonly KernelRun[];
  /** How many data there are. */
  readonly count: number;
  /** Data of the step's inputs, in their order. */
  readonly inputs: readonly number[];
  /** Variables that are read, as they were before the step. */
  readonly variables: readonly { readonly variable: tf.Variable; readonly datum: number }[];
  /** Tensors that neither were inputs nor came of a kernel; the recording keeps them. */
  readonly constants: readonly { readonly tensor: tf.Tensor; readonly datum: number }[];
  readonly outputs: readonly Operand[];
  /** Variables that the step assigned, with what they hold after it. */
  readonly changes: readonly { readonly variable: tf.Variable; readonly value: Operand }[];
}

const SHAPED_BY_VALUES: ReadonlySet<string> = new Set([
  ...["NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5"],
  ...["SparseFillEmptyRows", "SparseReshape", "Unique"],
]);

/**
 * Runs a step eagerly and records it. There is neither a recording nor an obstacle when the step made or disposed of variables.
 */
export function recordKernels(
  backend: BackendWasm,
  inputs: readonly tf.Tensor[],
  step: () => readonly tf.Tensor[],
): Recorded<KernelRecording> {
  const before = registeredVariables();
  giveOwnData(backend, before);
  const starts = new Map(before.map((variable) => [variable, variable.dataId]));
  const holders = new Map(before.map((variable) => [variable.dataId, variable]));
  const data = new Map<tf.DataId, number>();
  const runs: KernelRun[] = [];
  const variables: { variable: tf.Variable; datum: number }[] = [];
  const constants: { tensor: tf.Tensor; datum: number }[] = [];
  let obstacle: Obstacle | undefined;

  const add = (dataId: tf.DataId): number => {
    data.set(dataId, data.size);
    return data.size - 1;
  };
  const find = (info: tf.TensorInfo): number => {
    const datum = add(info.dataId);
    const variable = holders.get(info.dataId);
    if (variable) variables.push({ variable, datum });
    else constants.push({ tensor: hold(backend, info), datum });
    return datum;
  };
  const operandOf = (info: tf.TensorInfo): Operand => {
    const { dataId, shape, dtype } = info;
    return { datum: data.get(dataId) ?? find(info), shape: [...shape], dtype };
  };
  const given = inputs.map(({ dataId }) => add(dataId));
  if (data.size < inputs.length) obstacle = { reason: "two inputs are one tensor" };

  const watcher: KernelWatcher = {
    ran(kernel, run, taken, attrs, made) {
      const present = Object.entries(taken).filter(([, info]) => info != null);
      const operands = new Map(present.map(([name, info]) => [name, operandOf(info)]));
      const fresh = made.filter(({ dataId }) => !data.has(dataId));
      if (fresh.length === 0) return;
      if (SHAPED_BY_VALUES.has(kernel)) obstacle ??= { op: kernel, reason: "how much it returns depends on values" };
      if (fresh.length < made.length)
        obstacle ??= { op: kernel, reason: "some of what it returns is what it was given" };
      const outputs = made.map(({ dataId }) => add(dataId));
      runs.push({
        ...{ kernel, run, inputs: operands, takesList: Array.isArray(taken) },
        // Whoever gave them may use them again.
        ...{ attrs: attrs && structuredClone(attrs), outputs },
      });
    },
    read() {
      obstacle ??= {
        reason: "JavaScript reads a value inside of the step",
        ...(runs.length > 0 && { op: runs.at(-1)!.kernel }),
      };
    },
  };
  const release = (): void => tf.dispose(constants.map(({ tensor }) => tensor));
  let outputs: readonly tf.Tensor[];
  try {
    outputs = watchKernels(backend, watcher, step);
  } catch (error) {
    release();
    throw error;
  }
  const isSettled = hasKeptVariables(before);
  if (!isSettled || obstacle) {
    release();
    return { outputs, ...(isSettled && obstacle && { obstacle }) };
  }
  const changes = before
    .filter((variable) => variable.dataId !== starts.get(variable))
    .map((variable) => ({ variable, value: operandOf(variable) }));
  const results = outputs.map(operandOf);
  return {
    outputs,
    recording: { runs, count: data.size, inputs: given, variables, constants, outputs: results, changes },
  };
}

/** Frees what a recording keeps. */
export function dropRecording({ constants }: KernelRecording): void {
  tf.dispose(constants.map(({ tensor }) => tensor));
}

/** A tensor of the same data, which no scope disposes of but whoever asked for it. */
export function hold(backend: BackendWasm, { dataId, shape, dtype }: tf.TensorInfo): tf.Tensor {
  backend.incRef(dataId);
  return tf.keep(tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype }, backend));
}

/** Tensors, inputs and other variables may share a variable's data; a recording needs to tell them apart. */
function giveOwnData(backend: BackendWasm, variables: readonly tf.Variable[]): void {
  for (const variable of variables) {
    if (backend.refCount(variable.dataId) === 1) continue;
    const own = tf.tensor(variable.dataSync(), variable.shape, variable.dtype as "float32" | "int32" | "bool");
    variable.assign(own);
    own.dispose();
  }
}
