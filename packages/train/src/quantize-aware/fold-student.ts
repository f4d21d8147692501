/**
 * The student as it is deployed: batch norm folded into the layer before it, activations apart, no dropout.
 *
 *   w' = w g / sqrt(v + eps)        b' = (b - m) g / sqrt(v + eps) + beta
 *
 * Its statistics are those of the training behind it and no longer move, so that what is rounded while fine-tuning is what is
 * rounded in the file (Jacob et al. 2018, arXiv 1712.05877, section 3.2, after freezing).
 */
import { DistillateError } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import { type LayersModel, layers, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import { cloneLayer, layerLike, readersOf, rebuild } from "./rebuild.ts";

/** Layers of weights that batch norm folds into. */
export const WEIGHTED: ReadonlySet<string> = new Set(["Conv2D", "Dense", "DepthwiseConv2D"]);

const RECTIFIERS: { readonly [activation: string]: number | undefined } = { relu: undefined, relu6: 6 };

/** See the file's header. @throws DistillateError `quantize-aware-unsupported` for a batch norm with nothing to fold into. */
export function foldStudent(student: LayersModel): LayersModel {
  return rebuild(student, (layer, inputs) => {
    const kind = layer.getClassName();
    if (WEIGHTED.has(kind)) return foldLayer(layer, inputs);
    if (kind === "InputLayer" || kind === "Dropout") return inputs[0]!;
    if (kind === "BatchNormalization") {
      if (normOf(layer.inboundNodes[0]!.inboundLayers[0]!) === layer) return inputs[0]!;
      throw new DistillateError({
        code: "quantize-aware-unsupported",
        message: `the student's ${layer.name} has no convolution or dense layer of its own before it to be folded into`,
        hint: "Leave out student.quantizeAware, or build the student with batch norm right behind its convolutions.",
      });
    }
    return cloneLayer(layer, inputs);
  });
}

/** The batch norm that a layer's output goes to and nothing else does. */
function normOf(layer: layers.Layer): layers.Layer | undefined {
  const [reader, ...others] = readersOf(layer);
  const isAlone = reader !== undefined && others.length === 0 && reader.getClassName() === "BatchNormalization";
  return isAlone && WEIGHTED.has(layer.getClassName()) && layer.getConfig().activation === "linear"
    ? reader
    : undefined;
}

function foldLayer(layer: layers.Layer, inputs: readonly SymbolicTensor[]): SymbolicTensor {
  const activation = String(layer.getConfig().activation);
  const isRectified = Object.hasOwn(RECTIFIERS, activation);
  const folded = layerLike(layer, { useBias: true, activation: isRectified ? "linear" : activation });
  const output = folded.apply(inputs[0]!) as SymbolicTensor;
  const norm = normOf(layer);
  tf.tidy(() => folded.setWeights(foldWeights(layer, norm)));
  if (!isRectified) return output;
  const maxValue = RECTIFIERS[activation];
  const relu = layers.reLU({ name: `${layer.name}_relu`, ...(maxValue !== undefined && { maxValue }) });
  return relu.apply(output) as SymbolicTensor;
}

function foldWeights(layer: layers.Layer, norm: layers.Layer | undefined): tf.Tensor[] {
  const [kernel, given] = layer.getWeights() as [tf.Tensor, tf.Tensor | undefined];
  const channels = (layer.outputShape as number[]).at(-1)!;
  const bias = given ?? tf.zeros([channels]);
  if (norm === undefined) return [kernel, bias];
  const { scale, center, epsilon } = norm.getConfig() as { scale: boolean; center: boolean; epsilon: number };
  const weights = norm.getWeights();
  const gamma = scale ? weights.shift()! : tf.ones([channels]);
  const beta = center ? weights.shift()! : tf.zeros([channels]);
  const [mean, variance] = weights as [tf.Tensor, tf.Tensor];
  const factor = tf.div(gamma, tf.sqrt(tf.add(variance, epsilon)));
  // A depthwise kernel has its output channels in its last two axes, all others in the last one.
  const factors = layer.getClassName() === "DepthwiseConv2D" ? tf.reshape(factor, kernel.shape.slice(2)) : factor;
  return [tf.mul(kernel, factors), tf.add(tf.mul(tf.sub(bias, mean), factor), beta)];
}
