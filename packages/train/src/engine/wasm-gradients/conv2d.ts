/**
 * Convolutions by loops of our own, with bias and rectifier in one pass where they come along. The stock kernel packs the filter anew
 * at every call, as each step of a training has other weights, and lists the address of every pixel that a window covers.
 */
import { DistillateError } from "@distillate/bundle";
import { type backend_util, type TensorInfo, util } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { channelEnds } from "./channel-ends.ts";
import { bandsOf, frameOf } from "./frame.ts";
import { type ConvolutionAttributes, convolutionGeometry } from "./geometry.ts";
import { addressesOf, type GradientKernel, type KernelCall, stockKernel } from "./kernel.ts";

type Attributes = ConvolutionAttributes & { readonly activation?: string; readonly dataFormat?: string };

/** What kernels of convolutions are called with. */
export type ConvolutionCall = KernelCall<Attributes> & {
  readonly inputs: {
    readonly x: TensorInfo;
    readonly filter: TensorInfo;
    readonly bias?: TensorInfo;
    readonly preluActivationWeights?: TensorInfo;
  };
};

/** The smallest value of each activation that a loop can give. */
export const FLOORS: Readonly<Record<string, number>> = { linear: Number.NEGATIVE_INFINITY, relu: 0 };

/**
 * Makes a kernel, keeping the stock one for what the loops do not do: fewer than four filters, pixels of a window apart, other
 * activations, types and layouts.
 *
 * The kernel throws DistillateError `window-too-large` where a filter does not fit into the image.
 */
export function conv2d(name: "Conv2D" | "FusedConv2D"): GradientKernel {
  const stock = stockKernel(name);
  return {
    name,
    run(call: ConvolutionCall): TensorInfo {
      const { inputs, attrs, backend } = call;
      const { x, filter, bias, preluActivationWeights } = inputs;
      const info = convolutionGeometry(x.shape, filter.shape, attrs, false);
      const { batchSize, inHeight, inWidth, outHeight, outWidth, outChannels: filters, inChannels } = info;
      const floor = FLOORS[attrs.activation ?? "linear"];
      const isOurs = x.dtype === "float32" && filter.dtype === "float32" && isLooped(filter.shape, attrs);
      const isBias = !bias || (bias.shape.at(-1) === filters && util.sizeFromShape(bias.shape) === filters);
      if (!isOurs || !isBias || floor === undefined || preluActivationWeights) return stock(call);
      if (outHeight < 0 || outWidth < 0) throw windowTooLarge(info);

      const output = backend.makeOutput(info.outShape, "float32");
      const ends = channelEnds(backend, filters, bias, floor);
      const [images, weights, to, biases] = addressesOf(backend, [x, filter, output, ends]);
      const frame = frameOf(backend, images, info);

      const loops = loopsOf(backend);
      const { strideHeight, strideWidth, filterHeight, filterWidth } = info;
      const isPointwise = filterHeight * filterWidth * strideHeight * strideWidth === 1;
      // Pixels of all images in one row, where each is computed of one.
      const isOneRow = isPointwise && outHeight === inHeight && outWidth === inWidth;
      const [count, width] = isOneRow ? [1, batchSize * outHeight * outWidth] : [batchSize, outWidth];
      const bands = isOneRow ? [{ from: 0, to: 1, firstTap: 0, taps: 1, start: 0 }] : bandsOf(info);
      const taps = filterWidth * inChannels;
      const [pixelBytes, rowOfOutput] = [filters * 4, width * filters * 4];
      for (let n = 0; n < count; n++) {
        const image = frame.imageAt(n);
        for (const band of bands) {
          loops.convolve(
            image + band.start * frame.row,
            strideWidth * frame.pixel,
            info.dilationHeight * frame.row,
            strideHeight * frame.row,
            weights + band.firstTap * taps * pixelBytes,
            taps,
            band.taps,
            biases,
            to + (n * outHeight + band.from) * rowOfOutput,
            width,
            band.to - band.from,
            filters,
          );
        }
      }
      frame.dispose();
      backend.disposeData(ends.dataId);
      return output;
    },
  };
}

/** Whether the loops do a convolution with such a filter `[kh, kw, in, out]`. */
export function isLooped(
  filterShape: readonly number[],
  { dataFormat = "NHWC", dilations = 1 }: Pick<Attributes, "dataFormat" | "dilations">,
): boolean {
  const dilationWidth = typeof dilations === "number" ? dilations : dilations[1];
  return filterShape[3]! >= 4 && dilationWidth === 1 && dataFormat === "NHWC";
}

function windowTooLarge(info: backend_util.Conv2DInfo): DistillateError {
  const { inHeight, inWidth, effectiveFilterHeight, effectiveFilterWidth } = info;
  return new DistillateError({
    code: "window-too-large",
    message: `a convolution's filter of ${effectiveFilterHeight} by ${effectiveFilterWidth} does not fit into an image of ${inHeight} by ${inWidth}`,
    hint: "Use a smaller filter, larger images, or padding.",
  });
}
