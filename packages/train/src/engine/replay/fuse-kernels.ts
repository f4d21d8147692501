/**
 * Pairs of kernels of a recording that one kernel does: where nobody but the second takes what the first made, a map need not be
 * written and read once more. The results are the same to the bit.
 */
import * as tf from "@tensorflow/tfjs-core";
import { BATCH_NORM, BATCH_NORM_GRADIENT } from "../train-batch-norm.ts";
import { isLooped } from "../wasm-gradients/conv2d.ts";
import type { KernelRun, Operand } from "./record-kernels.ts";

/** What replaces a pair. */
type Fused = Pick<KernelRun, "kernel" | "inputs" | "attrs">;

interface Rule {
  readonly first: string;
  readonly second: string;
  /** The input of the second that the first made. */
  readonly through: string;
  /** `undefined` where this pair is none. */
  fuse(first: KernelRun, second: KernelRun): Fused | undefined;
}

const RULES: readonly Rule[] = [
  {
    ...{ first: "Conv2D", second: "Add", through: "a" },
    fuse(convolution, { inputs }) {
      const [filter, bias] = [convolution.inputs.get("filter")!.shape, inputs.get("b")!];
      const isBias = bias.shape.length === 1 && bias.shape[0] === filter[3];
      if (!isBias || !isLooped(filter, convolution.attrs!)) return undefined;
      return {
        kernel: "FusedConv2D",
        inputs: new Map([...convolution.inputs, ["bias", bias]]),
        attrs: { ...convolution.attrs, activation: "linear" },
      };
    },
  },
  {
    ...{ first: "FusedConv2D", second: "Relu", through: "x" },
    fuse: ({ kernel, inputs, attrs }) =>
      attrs!.activation === "linear" && isLooped(inputs.get("filter")!.shape, attrs!)
        ? { kernel, inputs, attrs: { ...attrs, activation: "relu" } }
        : undefined,
  },
  {
    ...{ first: BATCH_NORM, second: "Relu", through: "x" },
    fuse: ({ kernel, inputs, attrs }) => ({ kernel, inputs, attrs: { ...attrs, rectified: true } }),
  },
  {
    ...{ first: "ReluGrad", second: BATCH_NORM_GRADIENT, through: "dy" },
    fuse: (rectifier, { kernel, inputs, attrs }) => ({
      ...{ kernel, attrs },
      inputs: new Map([...inputs, ["dy", rectifier.inputs.get("dy")!], ["y", rectifier.inputs.get("y")!]]),
    }),
  },
  {
    ...{ first: "MaxPoolGrad", second: "ReluGrad", through: "dy" },
    fuse: ({ kernel, inputs, attrs }, rectifier) =>
      rectifier.inputs.get("y")!.datum === inputs.get("input")!.datum
        ? { kernel, inputs, attrs: { ...attrs, rectified: true } }
        : undefined,
  },
];

/**
 * The runs with all pairs fused, chains of them too.
 *
 * @param kept - Data that are needed after the last run.
 */
export function fuseKernels(runs: readonly KernelRun[], kept: ReadonlySet<number>): readonly KernelRun[] {
  const fused = [...runs];
  for (let i = 0; i < fused.length; ) {
    const pair = pairAt(fused, i, kept);
    if (pair) {
      fused[i] = pair.run;
      fused.splice(pair.second, 1);
    } else i++;
  }
  return fused;
}

/** What the run at a place and the only one that takes its data are as one, and the place of that. */
function pairAt(
  runs: readonly KernelRun[],
  place: number,
  kept: ReadonlySet<number>,
): { readonly run: KernelRun; readonly second: number } | undefined {
  const first = runs[place]!;
  for (const rule of RULES) {
    if (rule.first !== first.kernel) continue;
    const second = runs.findIndex(
      ({ kernel, inputs }, i) => i > place && kernel === rule.second && isFrom(first, inputs.get(rule.through)),
    );
    if (second < 0) continue;
    const { datum } = runs[second]!.inputs.get(rule.through)!;
    const takers = runs.flatMap(({ inputs }) => [...inputs.values()].filter((operand) => operand.datum === datum));
    const isThere = [...runs[second]!.inputs.values()].every(
      (operand) => operand.datum === datum || !isMadeFrom(runs, operand, place),
    );
    const run = rule.fuse(first, runs[second]!);
    if (!run || takers.length > 1 || kept.has(datum) || !isThere) continue;
    const outputs = first.outputs.flatMap((each) => (each === datum ? runs[second]!.outputs : [each]));
    const { kernelFunc } = tf.getKernel(run.kernel, "wasm");
    return { run: { ...first, ...run, run: kernelFunc, outputs }, second };
  }
  return undefined;
}

function isFrom({ outputs }: KernelRun, operand: Operand | undefined): boolean {
  return operand !== undefined && outputs.includes(operand.datum);
}

/** Whether the run at a place makes a datum, or a later one does. */
function isMadeFrom(runs: readonly KernelRun[], { datum }: Operand, place: number): boolean {
  return runs.findIndex(({ outputs }) => outputs.includes(datum)) >= place;
}
