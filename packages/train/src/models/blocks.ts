/** The layers that the architectures share, each named and seeded: equal seeds give equal weights, whatever was built before. */
import { initializers, layers, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import { deriveSeed } from "../random.ts";
import { FusedBatchNorm } from "./fused-batch-norm.ts";
import { SeededDropout } from "./seeded-dropout.ts";

type Layer = layers.Layer;

/** What every builder is handed. */
export interface ModelInput {
  /** Height, width, channels. */
  readonly shape: readonly [number, number, number];
  readonly classes: number;
  readonly seed: number;
}

/** Makes layers for one model; each gets its seed from the model's and its place. */
export interface Blocks {
  convolution(name: string, options: ConvolutionOptions): Layer;
  depthwise(name: string, options: { readonly strides?: number }): Layer;
  batchNorm(name: string): Layer;
  relu(name: string): Layer;
  dense(
    name: string,
    options: { readonly units: number; readonly activation?: "relu"; readonly inputShape?: number[] },
  ): Layer;
  dropout(name: string, rate: number): Layer;
  /** The mean of each map, then logits. */
  classifier(maps: SymbolicTensor, options: { readonly dropout: number; readonly classes: number }): SymbolicTensor;
}

/** A square convolution; `bias` is left out before batch normalisation. */
export interface ConvolutionOptions {
  readonly filters: number;
  readonly kernel: number;
  readonly strides?: number;
  readonly padding?: "same" | "valid";
  readonly bias?: boolean;
  readonly activation?: "relu";
  readonly inputShape?: readonly number[];
}

/** What a layer makes of one tensor, or of several. */
export function apply(layer: Layer, to: SymbolicTensor | SymbolicTensor[]): SymbolicTensor {
  return layer.apply(to) as SymbolicTensor;
}

/** Starts a model's {@link Blocks}. */
export function blocksFor(seed: number): Blocks {
  let place = 0;
  // He et al. 2015 (arXiv 1502.01852) before a ReLU; Glorot and Bengio 2010 for the logits.
  const he = (): ReturnType<typeof initializers.heNormal> => initializers.heNormal({ seed: deriveSeed(seed, ++place) });
  const glorot = (): ReturnType<typeof initializers.glorotUniform> =>
    initializers.glorotUniform({ seed: deriveSeed(seed, ++place) });

  const blocks: Blocks = {
    convolution: (name, { filters, kernel, strides = 1, padding = "same", bias = false, activation, inputShape }) =>
      layers.conv2d({
        name,
        filters,
        kernelSize: kernel,
        strides,
        padding,
        useBias: bias,
        kernelInitializer: he(),
        ...(activation && { activation }),
        ...(inputShape && { inputShape: [...inputShape] }),
      }),
    depthwise: (name, { strides = 1 }) =>
      layers.depthwiseConv2d({
        name,
        kernelSize: 3,
        strides,
        padding: "same",
        useBias: false,
        depthwiseInitializer: he(),
      }),
    batchNorm: (name) => new FusedBatchNorm({ name, momentum: 0.9 }),
    relu: (name) => layers.reLU({ name }),
    dense: (name, { units, activation, inputShape }) =>
      layers.dense({
        name,
        units,
        kernelInitializer: activation ? he() : glorot(),
        ...(activation && { activation }),
        ...(inputShape && { inputShape }),
      }),
    dropout: (name, rate) => new SeededDropout({ name, rate, seed: deriveSeed(seed, ++place) }),
    classifier(maps, { dropout, classes }) {
      const pooled = apply(
        blocks.dropout("dropout", dropout),
        apply(layers.globalAveragePooling2d({ name: "pool" }), maps),
      );
      return apply(blocks.dense("logits", { units: classes }), pooled);
    },
  };
  return blocks;
}
