/**
 * Where the time of a training step goes: by operation, and by layer with forward and backward apart.
 *
 * Engines run their kernels one after the other in JavaScript's thread, so a clock around each is the whole truth of an eager
 * step. Kernels nest; each has only what is not another's. What is left of a step is JavaScript's own.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";

/** Time of one operation, in milliseconds a step. */
export interface ProfiledOp {
  readonly name: string;
  /** A step. */
  readonly calls: number;
  readonly milliseconds: number;
}

/** Time of one layer, in milliseconds a step. */
export interface ProfiledLayer {
  readonly name: string;
  readonly forward: number;
  readonly backward: number;
}

/** Where the time of the steps went. */
export interface Profile {
  readonly steps: number;
  /** A step, the longest first. */
  readonly ops: readonly ProfiledOp[];
  /** In the model's order; what belongs to no layer comes last, as `(losses and update)`. */
  readonly layers: readonly ProfiledLayer[];
  /** A step with everything, in milliseconds. */
  readonly milliseconds: number;
  /** Of it, outside of any kernel. */
  readonly javascript: number;
}

/** How to {@link profileSteps}. */
export interface ProfileOptions {
  /** Whose layers are told apart. */
  readonly models: readonly LayersModel[];
  readonly steps: number;
  /** Takes one step, eagerly. */
  readonly take: (step: number) => Promise<unknown>;
  /** Milliseconds. */
  readonly clock: () => number;
}

const ELSEWHERE = "(losses and update)";

interface TapeNode {
  gradient?: (dys: tf.Tensor[]) => Readonly<Record<string, () => tf.Tensor>>;
}
interface Tape {
  addTapeNode(...args: readonly unknown[]): void;
  readonly state: { readonly activeTape: readonly TapeNode[] };
}

/** Takes some steps under the clock. tfjs is as it was afterwards. */
export async function profileSteps({ models, steps, take, clock }: ProfileOptions): Promise<Profile> {
  const ops = new Map<string, { calls: number; milliseconds: number }>();
  const layers = new Map<string, { forward: number; backward: number }>();
  const running: { inner: number }[] = [];
  let place: { readonly layer: string; readonly way: "forward" | "backward" } = { layer: ELSEWHERE, way: "forward" };

  const within = <Result>(next: typeof place, body: () => Result): Result => {
    const before = place;
    place = next;
    try {
      return body();
    } finally {
      place = before;
    }
  };
  const spend = (name: string, milliseconds: number): void => {
    const op = ops.get(name) ?? { calls: 0, milliseconds: 0 };
    ops.set(name, { calls: op.calls + 1, milliseconds: op.milliseconds + milliseconds });
    const layer = layers.get(place.layer)!;
    layer[place.way] += milliseconds;
  };
  const timed = <Result>(name: string, body: () => Result): Result => {
    const own = { inner: 0 };
    running.push(own);
    const start = clock();
    try {
      return body();
    } finally {
      const all = clock() - start;
      running.pop();
      const outer = running.at(-1);
      if (outer) outer.inner += all;
      spend(name, all - own.inner);
    }
  };

  const restore: (() => void)[] = [];
  const members = models.flatMap((model) => model.layers);
  for (const layer of members) {
    layers.set(layer.name, { forward: 0, backward: 0 });
    const { call } = layer;
    layer.call = (inputs, options) =>
      within({ layer: layer.name, way: "forward" }, () => call.call(layer, inputs, options));
    // An own property that hides the class' method.
    restore.push(() => Reflect.deleteProperty(layer, "call"));
  }
  layers.set(ELSEWHERE, { forward: 0, backward: 0 });

  const backend = tf.getBackend();
  for (const config of tf.getKernelsForBackend(backend)) {
    const { kernelName, kernelFunc } = config;
    config.kernelFunc = (params) => timed(kernelName, () => kernelFunc(params));
    restore.push(() => {
      config.kernelFunc = kernelFunc;
    });
  }

  // A gradient belongs to the layer that was running when its operation was taped.
  const tape = tf.engine() as unknown as Tape;
  const { addTapeNode } = tape;
  tape.addTapeNode = (...args) => {
    addTapeNode.apply(tape, args as unknown[]);
    const node = tape.state.activeTape.at(-1)!;
    const { gradient } = node;
    const { layer } = place;
    if (gradient === undefined) return;
    const back = { layer, way: "backward" } as const;
    node.gradient = (dys) => {
      const slopes = Object.entries(within(back, () => gradient(dys)));
      return Object.fromEntries(slopes.map(([name, slope]) => [name, () => within(back, slope)]));
    };
  };
  restore.push(() => Reflect.deleteProperty(tape, "addTapeNode"));

  const start = clock();
  try {
    for (let step = 0; step < steps; step++) await take(step);
  } finally {
    for (const undo of restore) undo();
  }
  const milliseconds = (clock() - start) / steps;
  const listed = [...ops]
    .map(([name, { calls, milliseconds }]) => ({ name, calls: calls / steps, milliseconds: milliseconds / steps }))
    .sort((a, b) => b.milliseconds - a.milliseconds);
  const inKernels = listed.reduce((sum, op) => sum + op.milliseconds, 0);
  return {
    steps,
    ops: listed,
    layers: [...layers].map(([name, { forward, backward }]) => ({
      name,
      forward: forward / steps,
      backward: backward / steps,
    })),
    milliseconds,
    javascript: milliseconds - inKernels,
  };
}
