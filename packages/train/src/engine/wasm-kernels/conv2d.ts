/**
 * Convolutions, depthwise ones too, by loops of our own, with bias and rectifier in one pass where they come along. The stock kernel packs the filter anew
 * at every call, as each step of a training has other weights, and lists the address of every pixel that a window covers.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { inParts } from "../threads/in-parts.ts";
import { channelEnds } from "./channel-ends.ts";
import { type ConvolutionCall, loopedConvolution } from "./convolution-call.ts";
import { convolvePixels } from "./convolve-pixels.ts";
import { framingOf } from "./frame.ts";
import { windowSizes } from "./geometry.ts";
import { addressesOf, stockKernel, type WasmKernel } from "./kernel.ts";

const DEPTHWISE = ["DepthwiseConv2dNative", "FusedDepthwiseConv2D"] as const;

/** Makes a kernel, keeping the stock one for what {@link loopedConvolution} leaves to it; that says what is thrown. */
export function conv2d(name: "Conv2D" | "FusedConv2D" | (typeof DEPTHWISE)[number]): WasmKernel {
  const stock = stockKernel(name);
  const isDepthwise = DEPTHWISE.some((depthwise) => depthwise === name);
  return {
    name,
    run(call: ConvolutionCall): TensorInfo {
      const looped = loopedConvolution(call, isDepthwise);
      if (!looped) return stock(call);
      const { backend, inputs } = call;
      const { info, floor } = looped;
      const { batchSize, inHeight, inWidth, inChannels: channels, outHeight, outWidth, outChannels: filters } = info;
      const { strideHeight, strideWidth, filterHeight, filterWidth } = info;

      const output = backend.makeOutput(info.outShape, "float32");
      const ends = channelEnds(backend, filters, inputs.bias, floor);
      const [images, filter, out, biases] = addressesOf(backend, [inputs.x, inputs.filter, output, ends]);
      const isPointwise = filterHeight * filterWidth * strideHeight * strideWidth === 1;
      if (!isDepthwise && isPointwise && outHeight === inHeight && outWidth === inWidth) {
        // They see nothing but themselves, and may come from all images at once.
        const count = batchSize * outHeight * outWidth;
        convolvePixels(backend, { pixels: images, channels, filter, filters, ends: biases, out, count });
      } else {
        const { frames, row, dispose } = framingOf(backend, info);
        const kind = Number(isDepthwise);
        const told = {
          images,
          frames,
          row,
          isDepthwise: kind,
          filter,
          filters,
          ends: biases,
          out,
          ...windowSizes(info),
        };
        inParts(backend, "convolveImages", told, batchSize);
        dispose();
      }
      backend.disposeData(ends.dataId);
      return output;
    },
  };
}
