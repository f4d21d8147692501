/**
 * A student that computes as its integer file will, and can be trained: weights rounded before they are used, activations where
 * the file has a pair of Quantize and Dequantize. Fine-tuned with the teacher's soft targets it moves to weights that bear
 * rounding; the ranges it learnt are the ones to write.
 *
 * Rounded are the input, and what leaves a layer of weights, a sum, a concatenation or an average; where a rectifier alone
 * reads that, what leaves the rectifier. The model's output stays float. Layers that only move values pass them on.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel, layers, SymbolicTensor } from "@tensorflow/tfjs-layers";
import { foldStudent, WEIGHTED } from "./fold-student.ts";
import { type Product, RoundedActivation, RoundedLayer } from "./layers.ts";
import { cloneLayer, readersOf, rebuild } from "./rebuild.ts";

/** Batches of a hundred steps decide a range. */
const MOMENTUM = 0.99;

const COMPUTED: ReadonlySet<string> = new Set(["Add", "AveragePooling2D", "Concatenate", "GlobalAveragePooling2D"]);

/** The range of one layer's output. */
export interface LearntRange {
  readonly layer: string;
  readonly isInput: boolean;
  readonly min: number;
  readonly max: number;
}

/** A student in training. */
export interface QuantizeAware {
  /** What is trained; its accuracy is that of the integer file. */
  readonly model: LayersModel;
  /** The float model of the weights it has by now, to be exported, and the ranges that belong to it. */
  finish(): { readonly model: LayersModel; readonly ranges: readonly LearntRange[] };
}

/**
 * Makes a student quantisation-aware; the student itself stays as it is.
 *
 * @throws DistillateError as `foldStudent` does.
 */
export function quantizeAware(student: LayersModel): QuantizeAware {
  const folded = foldStudent(student);
  const rounded = new Map<string, RoundedLayer>();
  const activations = new Map<string, { readonly layer: RoundedActivation; readonly isInput: boolean }>();
  const round = (name: string, tensor: SymbolicTensor, isInput = false): SymbolicTensor => {
    const layer = new RoundedActivation(`${name}_range`, MOMENTUM);
    activations.set(name, { layer, isInput });
    return layer.apply(tensor) as SymbolicTensor;
  };
  const model = rebuild(folded, (layer, inputs) => {
    const { name } = layer;
    if (layer.getClassName() === "InputLayer") return round(name, inputs[0]!, true);
    const product = productOf(layer);
    let output: SymbolicTensor;
    if (product === undefined) output = cloneLayer(layer, inputs);
    else {
      const [kernel, bias] = layer.getWeights().map(({ shape }) => shape) as [number[], number[]];
      const own = new RoundedLayer(
        name,
        product,
        { kernel, bias },
        (shape) => layer.computeOutputShape([...shape]) as number[],
      );
      output = own.apply(inputs[0]!) as SymbolicTensor;
      own.setWeights(layer.getWeights());
      rounded.set(name, own);
    }
    return isRounded(layer) ? round(name, output) : output;
  });
  return {
    model,
    finish() {
      for (const layer of folded.layers) {
        const own = rounded.get(layer.name);
        if (own !== undefined) layer.setWeights(own.getWeights());
      }
      const ranges = [...activations].map(([name, { layer, isInput }]) => ({ layer: name, isInput, ...layer.range() }));
      return { model: folded, ranges };
    },
  };
}

/** Whether the file has a pair behind a layer. */
function isRounded(layer: layers.Layer): boolean {
  const [reader, ...others] = readersOf(layer);
  const kind = layer.getClassName();
  if (reader === undefined) return false;
  if (isRectifier(layer)) return true;
  if (!WEIGHTED.has(kind) && !COMPUTED.has(kind)) return false;
  return others.length > 0 || !isRectifier(reader);
}

function isRectifier(layer: layers.Layer): boolean {
  const { activation, negativeSlope = 0, threshold = 0 } = layer.getConfig();
  const kind = layer.getClassName();
  return (
    (kind === "ReLU" && !negativeSlope && !threshold) || (kind === "Activation" && /^relu6?$/.test(String(activation)))
  );
}

/** How a layer of weights multiplies, when it does so plainly. */
function productOf(layer: layers.Layer): Product | undefined {
  const kind = layer.getClassName();
  const config = layer.getConfig();
  if (!WEIGHTED.has(kind) || config.activation !== "linear") return undefined;
  if (kind === "Dense") {
    if ((layer.outputShape as number[]).length !== 2) return undefined;
    return { axes: [0], apply: (inputs, kernel) => tf.matMul(inputs as tf.Tensor2D, kernel as tf.Tensor2D) };
  }
  const { strides, padding, dilationRate } = config as unknown as {
    strides: [number, number];
    padding: "same" | "valid";
    dilationRate: [number, number];
  };
  return kind === "Conv2D"
    ? {
        axes: [0, 1, 2],
        apply: (inputs, kernel) =>
          tf.conv2d(inputs as tf.Tensor4D, kernel as tf.Tensor4D, strides, padding, "NHWC", dilationRate),
      }
    : {
        axes: [0, 1],
        apply: (inputs, kernel) =>
          tf.depthwiseConv2d(inputs as tf.Tensor4D, kernel as tf.Tensor4D, strides, padding, "NHWC", dilationRate),
      };
}
