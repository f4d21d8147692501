/** One session of any onnxruntime as a target: the same code in Node and in a page. */
import { DistillateError } from "@distillate/bundle";
import type { InputSet, InputTensor, OpenTarget, Phases } from "./target.ts";

/** The part that all onnxruntime packages share and that is used here. */
export interface Onnxruntime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OnnxSession>;
  };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => OnnxTensor;
}

interface OnnxTensor {
  readonly data: ArrayLike<number | bigint>;
  getData?(): Promise<ArrayLike<number | bigint>>;
  dispose?(): void;
}

interface OnnxSession {
  readonly inputMetadata: readonly {
    readonly name: string;
    readonly isTensor?: boolean;
    readonly type?: string;
    readonly shape?: readonly (number | string)[];
  }[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<string, OnnxTensor>>>;
  release(): Promise<void>;
}

/** Enough for any small model: larger batches only move where the time goes. */
const ROWS_PER_CALL = 64;

/**
 * Opens a session and holds the inputs against what the model takes.
 *
 * @throws DistillateError `shape-mismatch` when they do not fit, `model-refused` when onnxruntime does not take the model.
 */
export async function openSession(
  ort: Onnxruntime,
  model: Uint8Array,
  options: Readonly<Record<string, unknown>>,
  inputs: InputSet,
  phases: (sessionMilliseconds: number) => Phases,
  details: OpenTarget["details"] = {},
): Promise<OpenTarget> {
  const from = performance.now();
  const session = await ort.InferenceSession.create(model, options).catch((cause: unknown) => {
    throw new DistillateError({
      code: "model-refused",
      message: `onnxruntime does not take the model: ${(cause as Error)?.message ?? cause}`,
      hint: "Check the file with `distillate verify FILE.onnx`, or leave this target out with --targets.",
      cause,
    });
  });
  const milliseconds = performance.now() - from;
  const free = checkInputs(session, inputs);

  return {
    phases: phases(milliseconds),
    rowsPerCall: free ? ROWS_PER_CALL : 1,
    details,
    prepare(first, rows) {
      const feeds = Object.fromEntries(
        inputs.tensors.map((tensor) => [
          tensor.name,
          new ort.Tensor(tensor.dtype, rowsOf(tensor, first, rows), [rows, ...tensor.row]),
        ]),
      );
      return async () => {
        const outputs = await session.run(feeds);
        const [name] = session.outputNames;
        const tensor = outputs[name!]!;
        // A call is over when its result is on the CPU; on a GPU `run` returns before that.
        const data = (await (tensor.getData?.() ?? tensor.data)) as ArrayLike<number>;
        const values = data instanceof Float32Array ? data : Float32Array.from(data, Number);
        const result = tensor.dispose === undefined ? values : values.slice();
        for (const each of Object.values(outputs)) each.dispose?.();
        return result;
      };
    },
    close: () => session.release(),
  };
}

/** Values of some samples, wrapped around at the end of the set. */
export function rowsOf({ data, row }: InputTensor, first: number, rows: number): InputTensor["data"] {
  const size = row.reduce((product, side) => product * side, 1);
  const samples = data.length / size;
  const start = first % samples;
  if (start + rows <= samples) return data.slice(start * size, (start + rows) * size) as InputTensor["data"];
  const Values = data.constructor as Float32ArrayConstructor;
  const values = new Values(rows * size);
  for (let i = 0; i < rows; i++) {
    const sample = (start + i) % samples;
    values.set((data as Float32Array).subarray(sample * size, (sample + 1) * size), i * size);
  }
  return values;
}

/** Whether the batch is the caller's choice. */
function checkInputs({ inputMetadata }: OnnxSession, { tensors }: InputSet): boolean {
  let free = true;
  for (const { name, type, shape = [] } of inputMetadata) {
    const given = tensors.find((tensor) => tensor.name === name);
    const wanted = `${type} [${shape.join(", ")}]`;
    const found = given && `${given.dtype} [n, ${given.row.join(", ")}]`;
    const fits =
      given !== undefined &&
      given.dtype === type &&
      given.row.length === shape.length - 1 &&
      given.row.every((side, i) => typeof shape[i + 1] !== "number" || shape[i + 1] === side);
    if (!fits || (typeof shape[0] === "number" && shape[0] !== 1)) {
      throw new DistillateError({
        code: "shape-mismatch",
        message: `the model's input "${name}" is ${wanted}, the input set has ${found ?? `none of that name, but ${tensors.map((tensor) => tensor.name).join(", ")}`}`,
        hint: "All targets of one benchmark take the same inputs; benchmark this file on its own, or give its input with --shape.",
      });
    }
    if (typeof shape[0] === "number") free = false;
  }
  return free;
}
