/**
 * Dropout whose mask is a function of (seed, layer, step).
 *
 * The stock layer repeats one mask at every step when it is given a seed, and no run can be repeated when it isn't. This
 * one writes itself to model.json as a stock Dropout, so that the file loads in any tfjs.
 *
 * Inverted dropout (Srivastava et al. 2014, section 10): what is kept is scaled by 1 / (1 - rate) while training.
 */
import * as tf from "@tensorflow/tfjs-core";
import { type LayersModel, layers } from "@tensorflow/tfjs-layers";
import { randomFor } from "../random.ts";

type CallOptions = { readonly training?: boolean };

/** See the file's header. */
export class SeededDropout extends layers.Layer {
  static readonly className = "Dropout";
  readonly rate: number;
  readonly seed: number;
  /** Set by {@link setDropoutStep} before each training step. */
  step = 0;

  constructor(config: { readonly name: string; readonly rate: number; readonly seed: number }) {
    super({ name: config.name });
    this.rate = config.rate;
    this.seed = config.seed;
    this.supportsMasking = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], options: CallOptions): tf.Tensor {
    const input = Array.isArray(inputs) ? inputs[0]! : inputs;
    if (options.training !== true || this.rate === 0) return tf.clone(input);
    const random = randomFor(this.seed, this.step);
    const threshold = this.rate * 2 ** 32;
    const scale = 1 / (1 - this.rate);
    const mask = new Float32Array(input.size);
    for (let i = 0; i < mask.length; i++) mask[i] = random.next() >>> 0 < threshold ? 0 : scale;
    return tf.mul(input, tf.tensor(mask, input.shape));
  }

  override computeOutputShape<Shape>(inputShape: Shape): Shape {
    return inputShape;
  }

  override getConfig(): ReturnType<layers.Layer["getConfig"]> {
    return { ...super.getConfig(), rate: this.rate };
  }
}

/** Gives every dropout layer of a model the masks of one step. */
export function setDropoutStep(model: LayersModel, step: number): void {
  for (const layer of model.layers) if (layer instanceof SeededDropout) layer.step = step;
}
