/**
 * Pairs of kernels of a recording that one kernel does, where nobody but the second takes the map that the first made: it need not be
 * written and read once more. The results are the same to the bit, since the one kernel does what both did, number by number and in
 * their order:
 *
 *   a convolution adds its bias to the finished sums              as the addition does
 *   convolution and normalisation end with max(floor, .)          as the rectifier does
 *   pooling hands on where the largest input is positive          where the rectifier's output is, which that input is
 *   normalisation's gradient takes what the rectifier hands on    as the rectifier's gradient does
 */
import * as tf from "@tensorflow/tfjs-core";
import { BATCH_NORM, BATCH_NORM_GRADIENT } from "../train-batch-norm.ts";
import { hasLoop } from "../wasm-kernels/convolution-call.ts";
import type { KernelRun, Operand } from "./record-kernels.ts";

/** What replaces a pair. */
type Fused = Pick<KernelRun, "kernel" | "inputs" | "attrs">;

interface Rule {
  readonly first: string;
  readonly second: string;
  /** The input of the second that is the first output of the first. */
  readonly through: string;
  /** `undefined` where this pair is none. */
  fuse(first: KernelRun, second: KernelRun): Fused | undefined;
}

const RULES: readonly Rule[] = [
  {
    first: "Conv2D",
    second: "Add",
    through: "a",
    fuse({ inputs, attrs }, { inputs: added }) {
      const [filter, map, bias] = [inputs.get("filter")!.shape, added.get("a")!.shape, added.get("b")!];
      const channels = filter[3]!;
      // A recording does not tell that a map was given another shape meanwhile.
      const isBias = bias.shape.length === 1 && bias.shape[0] === channels && map.at(-1) === channels;
      if (!isBias || !hasLoop(filter, attrs!, false)) return undefined;
      return {
        kernel: "FusedConv2D",
        inputs: new Map([...inputs, ["bias", bias]]),
        attrs: { ...attrs, activation: "linear" },
      };
    },
  },
  {
    first: "FusedConv2D",
    second: "Relu",
    through: "x",
    fuse: ({ kernel, inputs, attrs }) =>
      attrs!.activation === "linear" && hasLoop(inputs.get("filter")!.shape, attrs!, false)
        ? { kernel, inputs, attrs: { ...attrs, activation: "relu" } }
        : undefined,
  },
  {
    first: BATCH_NORM,
    second: "Relu",
    through: "x",
    fuse: ({ kernel, inputs, attrs }) => ({ kernel, inputs, attrs: { ...attrs, rectified: true } }),
  },
  {
    first: "MaxPoolGrad",
    second: "ReluGrad",
    through: "dy",
    fuse: ({ kernel, inputs, attrs }, rectifier) =>
      rectifier.inputs.get("y")!.datum === inputs.get("input")!.datum
        ? { kernel, inputs, attrs: { ...attrs, rectified: true } }
        : undefined,
  },
  {
    first: "ReluGrad",
    second: BATCH_NORM_GRADIENT,
    through: "dy",
    fuse: ({ inputs: rectifier }, { kernel, inputs, attrs }) => ({
      kernel,
      inputs: new Map([...inputs, ["dy", rectifier.get("dy")!], ["y", rectifier.get("y")!]]),
      attrs,
    }),
  },
];

/**
 * The runs with all pairs fused, chains of them too.
 *
 * @param kept - Data that are needed after the last run.
 */
export function fuseKernels(runs: readonly KernelRun[], kept: ReadonlySet<number>): readonly KernelRun[] {
  const fused = [...runs];
  for (let place = 0; place < fused.length; ) {
    const pair = pairAt(fused, place, kept);
    if (pair) {
      fused[place] = pair.run;
      fused.splice(pair.second, 1);
    } else place++;
  }
  return fused;
}

/** The run at a place and the only one that takes its first datum as one, and the place of that one. */
function pairAt(
  runs: readonly KernelRun[],
  place: number,
  kept: ReadonlySet<number>,
): { readonly run: KernelRun; readonly second: number } | undefined {
  const first = runs[place]!;
  const [datum, ...others] = first.outputs;
  const takers = runs.flatMap(({ inputs }, i) =>
    [...inputs].flatMap(([name, operand]) => (operand.datum === datum ? [{ i, name }] : [])),
  );
  const [taker] = takers;
  if (taker === undefined || takers.length > 1 || kept.has(datum!)) return undefined;
  const second = runs[taker.i]!;
  const rule = RULES.find(
    (each) => each.first === first.kernel && each.second === second.kernel && each.through === taker.name,
  );
  // The one kernel runs where the first did.
  const rest = [...second.inputs.values()].filter((operand) => operand.datum !== datum);
  if (!rule || rest.some((operand) => isMadeAtOrAfter(place, runs, operand))) return undefined;
  const fused = rule.fuse(first, second);
  if (!fused) return undefined;
  const { kernelFunc } = tf.getKernel(fused.kernel, "wasm");
  return {
    run: { ...first, ...fused, run: kernelFunc, outputs: [...second.outputs, ...others] },
    second: taker.i,
  };
}

function isMadeAtOrAfter(place: number, runs: readonly KernelRun[], { datum }: Operand): boolean {
  return runs.findIndex(({ outputs }) => outputs.includes(datum)) >= place;
}
