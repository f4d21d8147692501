/** The two layers of a quantisation-aware net: weights that are rounded before use, and activations that are rounded behind it. */
import * as tf from "@tensorflow/tfjs-core";
import { initializers, layers } from "@tensorflow/tfjs-layers";
import { fakeQuantizeActivation, fakeQuantizeWeight } from "./fake-quantize.ts";

type Shape = readonly (number | null)[];
/** The weights of a layer, as tfjs declares and guards them. */
type Variable = ReturnType<layers.Layer["addWeight"]>;
type CallOptions = { readonly training?: boolean };

/** How weights and inputs meet. */
export interface Product {
  /** From inputs and a kernel, without the bias. */
  readonly apply: (inputs: tf.Tensor, kernel: tf.Tensor) => tf.Tensor;
  /** Axes of the kernel that share a scale: all but the output channels'. */
  readonly axes: readonly number[];
}

/** A convolution or a dense layer that computes with its kernel rounded to int8, one scale an output channel. */
export class RoundedLayer extends layers.Layer {
  static readonly className = "RoundedLayer";
  readonly #product: Product;
  readonly #shapes: { readonly kernel: Shape; readonly bias: Shape };
  readonly #outputShape: (input: Shape) => Shape;
  #kernel: Variable | undefined;
  #bias: Variable | undefined;

  constructor(
    name: string,
    product: Product,
    shapes: { readonly kernel: Shape; readonly bias: Shape },
    outputShape: (input: Shape) => Shape,
  ) {
    super({ name });
    this.#product = product;
    this.#shapes = shapes;
    this.#outputShape = outputShape;
  }

  override build(): void {
    const [kernel, bias] = [this.#shapes.kernel, this.#shapes.bias].map((shape) => [...shape]);
    this.#kernel = this.addWeight("kernel", kernel!, "float32", initializers.zeros());
    this.#bias = this.addWeight("bias", bias!, "float32", initializers.zeros());
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const input = Array.isArray(inputs) ? inputs[0]! : inputs;
      const kernel = fakeQuantizeWeight(this.#kernel!.read(), this.#product.axes);
      return tf.add(this.#product.apply(input, kernel), this.#bias!.read());
    });
  }

  override computeOutputShape(shape: never): never {
    return this.#outputShape(shape) as never;
  }
}

/**
 * Rounds activations over a range that follows the batches while training:
 *
 *   min <- m min + (1 - m) min(0, batch),  max likewise;  the first batch sets both
 *
 * The range is a weight that no gradient reaches: it is saved, resumed and restored with all others.
 */
export class RoundedActivation extends layers.Layer {
  static readonly className = "RoundedActivation";
  readonly #momentum: number;
  #min: Variable | undefined;
  #max: Variable | undefined;

  constructor(name: string, momentum: number) {
    super({ name });
    this.#momentum = momentum;
  }

  override build(): void {
    this.#min = this.addWeight("min", [], "float32", initializers.zeros(), undefined, false);
    this.#max = this.addWeight("max", [], "float32", initializers.zeros(), undefined, false);
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], options: CallOptions): tf.Tensor {
    return tf.tidy(() => {
      const input = Array.isArray(inputs) ? inputs[0]! : inputs;
      const [min, max] = [this.#min!, this.#max!];
      if (options.training === true) {
        // The loss does not flow into the range: it follows values that are no part of the tape.
        const [low, high] = [tf.minimum(tf.min(input), 0), tf.maximum(tf.max(input), 0)];
        const isFirst = tf.equal(min.read(), max.read());
        const follow = (old: tf.Tensor, seen: tf.Tensor): tf.Tensor =>
          tf.where(isFirst, seen, tf.add(tf.mul(old, this.#momentum), tf.mul(seen, 1 - this.#momentum)));
        min.write(follow(min.read(), low));
        max.write(follow(max.read(), high));
      }
      return fakeQuantizeActivation(input, min.read(), max.read());
    });
  }

  override computeOutputShape<Any>(shape: Any): Any {
    return shape;
  }

  /** What it has learnt. */
  range(): { readonly min: number; readonly max: number } {
    return { min: this.#min!.read().dataSync()[0]!, max: this.#max!.read().dataSync()[0]! };
  }
}
