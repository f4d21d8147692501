/**
 * A recorded step of the wasm engine, run again: its kernels one after the other, without the tape, the scopes and the tensors that
 * tfjs makes around them. Kernels that nothing comes of are left out, pairs that one kernel does are fused, and data are freed
 * after their last use, so a step needs less memory than an eager one. The results are the same to the bit.
 */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import type { StepProgram } from "../capture/step-recorder.ts";
import { fuseKernels } from "./fuse-kernels.ts";
import { hold, type KernelRecording, type KernelRun, type Operand } from "./record-kernels.ts";

/** A tensor whose data id is filled in at each run, and which tfjs does not know. */
interface Place {
  readonly tensor: { dataId: tf.DataId };
  readonly datum: number;
}

/** A kernel with what it is called with. */
interface Stage {
  readonly run: tf.KernelFunc;
  readonly call: Parameters<tf.KernelFunc>[0];
  readonly operands: readonly Place[];
  readonly outputs: readonly number[];
  /** Data that nobody needs any more. */
  readonly frees: readonly number[];
}

/** Number of a tensor that no tape looks for. */
const UNKNOWN = -1;

/** Makes a program of a recording, which may be dropped then. */
export function replay(backend: BackendWasm, recording: KernelRecording): StepProgram {
  const constants = recording.constants.map(({ tensor, datum }) => ({ tensor: hold(backend, tensor), datum }));
  const kept = new Set(
    [...recording.outputs, ...recording.changes.map(({ value }) => value)].map(({ datum }) => datum),
  );
  const runs = fuseKernels(neededFor(kept, recording.runs), kept);
  const made = runs.flatMap(({ outputs }) => outputs);
  const stages = stagesOf(backend, runs, kept);
  const changes = recording.changes.map(({ variable, value }) => ({ variable, ...placeFor(value) }));
  /** Where each datum is in a run; what was made and is freed again is `undefined`. */
  const places: (tf.DataId | undefined)[] = new Array(recording.count);
  for (const { tensor, datum } of constants) places[datum] = tensor.dataId;

  const tensorOf = ({ datum, shape, dtype }: Operand): tf.Tensor => {
    const dataId = places[datum]!;
    backend.incRef(dataId);
    return tf.engine().makeTensorFromTensorInfo({ dataId, shape: [...shape], dtype }, backend);
  };
  const letGo = (dataId: tf.DataId): void => {
    // tfjs knows some: what kernels that are composed of others returned or took.
    if (backend.disposeData(dataId)) tf.engine().removeDataId(dataId, backend);
  };
  const free = (datum: number): void => {
    const dataId = places[datum];
    if (dataId === undefined) return;
    letGo(dataId);
    places[datum] = undefined;
  };

  return {
    run(inputs) {
      for (const [i, datum] of recording.inputs.entries()) places[datum] = inputs[i]!.dataId;
      for (const { variable, datum } of recording.variables) places[datum] = variable.dataId;
      try {
        for (const stage of stages) {
          take(stage, places, backend);
          for (const datum of stage.frees) free(datum);
        }
        const outputs = recording.outputs.map(tensorOf);
        // All values before any assignment, which lets go of what another variable may get.
        for (const { tensor, datum } of changes) {
          tensor.dataId = places[datum]!;
          backend.incRef(tensor.dataId);
        }
        for (const { variable, tensor } of changes) variable.assign(tensor as tf.Tensor);
        for (const { tensor } of changes) letGo(tensor.dataId);
        return outputs;
      } finally {
        // What was handed out has counted its own; after an error all that was made so far is here.
        for (const datum of made) free(datum);
      }
    },
    // tfjs' variables are the only ones.
    sync: () => undefined,
    dispose: () => tf.dispose(constants.map(({ tensor }) => tensor)),
  };
}

function take({ run, call, operands, outputs }: Stage, places: (tf.DataId | undefined)[], backend: BackendWasm): void {
  for (const { tensor, datum } of operands) tensor.dataId = places[datum]!;
  const made = run(call);
  for (const [i, info] of (Array.isArray(made) ? made : [made]).entries()) {
    places[outputs[i]!] = info.dataId;
    // A kernel that is composed of others returns what some scope would dispose of.
    if (info instanceof tf.Tensor) {
      backend.incRef(info.dataId);
      info.dispose();
    }
  }
}

function placeFor({ datum, shape, dtype }: Operand): Place {
  return { tensor: new tf.Tensor([...shape], dtype, {}, UNKNOWN), datum };
}

/** The runs that data come of, in their order. */
function neededFor(data: ReadonlySet<number>, runs: readonly KernelRun[]): readonly KernelRun[] {
  const needed = new Set(data);
  const kept = runs.toReversed().filter(({ inputs, outputs }) => {
    const isNeeded = outputs.some((datum) => needed.has(datum));
    if (isNeeded) for (const { datum } of inputs.values()) needed.add(datum);
    return isNeeded;
  });
  return kept.reverse();
}

function stagesOf(backend: BackendWasm, runs: readonly KernelRun[], kept: ReadonlySet<number>): readonly Stage[] {
  const lastUse = new Map<number, number>();
  for (const [i, { inputs, outputs }] of runs.entries()) {
    for (const datum of [...outputs, ...[...inputs.values()].map((operand) => operand.datum)]) lastUse.set(datum, i);
  }
  const made = new Set(runs.flatMap(({ outputs }) => outputs));
  const frees = runs.map((): number[] => []);
  for (const [datum, last] of lastUse) if (made.has(datum) && !kept.has(datum)) frees[last]!.push(datum);
  return runs.map(({ run, inputs, takesList, attrs, outputs }, i) => {
    const operands = [...inputs].map(([name, operand]) => ({ name, ...placeFor(operand) }));
    const tensors = takesList
      ? operands.map(({ tensor }) => tensor)
      : Object.fromEntries(operands.map(({ name, tensor }) => [name, tensor]));
    const call = { inputs: tensors, attrs, backend } as unknown as Stage["call"];
    return { run, call, operands, outputs, frees: frees[i]! };
  });
}
