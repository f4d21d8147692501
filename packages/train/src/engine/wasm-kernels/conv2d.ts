/**
 * Convolutions, depthwise ones too, by loops of our own, with bias and rectifier in one pass where they come along. The stock kernel packs the filter anew
 * at every call, as each step of a training has other weights, and lists the address of every pixel that a window covers.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { type Loops, loopsOf } from "../simd/loops.ts";
import { channelEnds } from "./channel-ends.ts";
import { type ConvolutionCall, loopedConvolution } from "./convolution-call.ts";
import { type Band, bandsOf, frameOf } from "./frame.ts";
import { addressesOf, stockKernel, type WasmKernel } from "./kernel.ts";

/** A row of pixels by filters of one by one. */
const ONE_ROW: readonly Band[] = [{ from: 0, to: 1, firstTap: 0, taps: 1, start: 0 }];

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
      const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels: filters } = info;
      const { strideHeight, strideWidth, filterHeight, filterWidth } = info;

      const output = backend.makeOutput(info.outShape, "float32");
      const ends = channelEnds(backend, filters, inputs.bias, floor);
      const [images, weights, to, biases] = addressesOf(backend, [inputs.x, inputs.filter, output, ends]);
      const frame = frameOf(backend, images, info);
      const loops = loopsOf(backend);
      // An ordinary one has no use for the last argument.
      const convolve: Loops["convolveChannels"] = isDepthwise ? loops.convolveChannels : loops.convolve;
      const isPointwise = filterHeight * filterWidth * strideHeight * strideWidth === 1;
      // Pixels that see nothing but themselves may come from all images at once.
      const isOneRow = isPointwise && outHeight === inHeight && outWidth === inWidth;
      const [count, width] = isOneRow ? [1, batchSize * outHeight * outWidth] : [batchSize, outWidth];
      const bands = isOneRow ? ONE_ROW : bandsOf(info);
      const taps = isDepthwise ? filterWidth : filterWidth * inChannels;
      const [pixelBytes, rowOfOutput] = [filters * 4, width * filters * 4];
      for (let n = 0; n < count; n++) {
        const image = frame.imageAt(n);
        for (const band of bands) {
          convolve(
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
            info.dilationWidth * frame.pixel,
          );
        }
      }
      frame.dispose();
      backend.disposeData(ends.dataId);
      return output;
    },
  };
}
