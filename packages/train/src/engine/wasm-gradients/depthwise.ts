/**
 * Depthwise convolutions by a loop of our own, with bias and rectifier in one pass where they come along: what conv2d.ts says of the
 * stock kernel holds here too.
 */
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { channelEnds } from "./channel-ends.ts";
import { type ConvolutionCall, FLOORS } from "./conv2d.ts";
import { bandsOf, frameOf } from "./frame.ts";
import { convolutionGeometry } from "./geometry.ts";
import { addressesOf, type GradientKernel, stockKernel } from "./kernel.ts";

/** Makes a kernel, keeping the stock one for several filters a channel, fewer than four channels, other activations, types and layouts. */
export function depthwise(name: "DepthwiseConv2dNative" | "FusedDepthwiseConv2D"): GradientKernel {
  const stock = stockKernel(name);
  return {
    name,
    run(call: ConvolutionCall): TensorInfo {
      const { inputs, attrs, backend } = call;
      const { x, filter, bias, preluActivationWeights } = inputs;
      const [, filterWidth, channels, multiplier] = filter.shape as [number, number, number, number];
      const floor = FLOORS[attrs.activation ?? "linear"];
      const areFloats = x.dtype === "float32" && filter.dtype === "float32";
      const isLast = (attrs.dataFormat ?? "NHWC") === "NHWC";
      const isBias = !bias || (bias.shape.at(-1) === channels && util.sizeFromShape(bias.shape) === channels);
      const isOurs = areFloats && isLast && isBias && multiplier === 1 && channels >= 4;
      if (!isOurs || floor === undefined || preluActivationWeights) return stock(call);
      const info = convolutionGeometry(x.shape, filter.shape, attrs, true);
      const { batchSize, outHeight, outWidth, strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
      if (outHeight < 0 || outWidth < 0) return stock(call);

      const output = backend.makeOutput(info.outShape, "float32");
      const ends = channelEnds(backend, channels, bias, floor);
      const [images, weights, to, biases] = addressesOf(backend, [x, filter, output, ends]);
      const frame = frameOf(backend, images, info);
      const loops = loopsOf(backend);
      const bands = bandsOf(info);
      const rowOfOutput = outWidth * channels * 4;
      for (let n = 0; n < batchSize; n++) {
        const image = frame.imageAt(n);
        for (const band of bands) {
          loops.convolveChannels(
            image + band.start * frame.row,
            strideWidth * frame.pixel,
            dilationHeight * frame.row,
            strideHeight * frame.row,
            weights + band.firstTap * filterWidth * channels * 4,
            filterWidth,
            band.taps,
            biases,
            to + (n * outHeight + band.from) * rowOfOutput,
            outWidth,
            band.to - band.from,
            channels,
            dilationWidth * frame.pixel,
          );
        }
      }
      frame.dispose();
      backend.disposeData(ends.dataId);
      return output;
    },
  };
}
