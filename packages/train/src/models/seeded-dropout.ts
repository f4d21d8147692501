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
import { seededUniform } from "../engine/seeded-uniform.ts";

type CallOptions = { readonly training?: boolean };

/** See the file's header. */
export class SeededDropout extends layers.Layer {
  static readonly className = "Dropout";
  readonly rate: number;
  readonly seed: number;
  /** Set by {@link setDropoutStep} before each training step. */
  step: number | tf.Scalar = 0;

  constructor(config: { readonly name: string; readonly rate: number; readonly seed: number }) {
    super({ name: config.name });
    this.rate = config.rate;
    this.seed = config.seed;
    this.supportsMasking = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], options: CallOptions): tf.Tensor {
    const input = Array.isArray(inputs) ? inputs[0]! : inputs;
    if (options.training !== true || this.rate === 0) return tf.clone(input);
    const scale = 1 / (1 - this.rate);
    const uniform = seededUniform(input.shape, this.seed, this.step);
    return tf.mul(input, tf.mul(tf.cast(tf.greaterEqual(uniform, this.rate), "float32"), scale));
  }

  override computeOutputShape<Shape>(inputShape: Shape): Shape {
    return inputShape;
  }

  override getConfig(): ReturnType<layers.Layer["getConfig"]> {
    return { ...super.getConfig(), rate: this.rate };
  }
}

/** Gives every dropout layer of a model the masks of one step; an int32 tensor where a captured step is told its number. */
export function setDropoutStep(model: LayersModel, step: number | tf.Scalar): void {
  for (const layer of model.layers) if (layer instanceof SeededDropout) layer.step = step;
}
