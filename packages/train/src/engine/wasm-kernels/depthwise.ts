/**
 * Depthwise convolutions by a loop of our own, with bias and rectifier in one pass where they come along: what conv2d.ts says of the
 * stock kernel holds here too.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { channelEnds } from "./channel-ends.ts";
import { type ConvolutionCall, loopedConvolution } from "./convolution-call.ts";
import { bandsOf, frameOf } from "./frame.ts";
import { addressesOf, stockKernel, type WasmKernel } from "./kernel.ts";

/** Makes a kernel, keeping the stock one for what {@link loopedConvolution} leaves to it; that says what is thrown. */
export function depthwise(name: "DepthwiseConv2dNative" | "FusedDepthwiseConv2D"): WasmKernel {
  const stock = stockKernel(name);
  return {
    name,
    run(call: ConvolutionCall): TensorInfo {
      const looped = loopedConvolution(call, true);
      if (!looped) return stock(call);
      const { backend, inputs } = call;
      const { info, floor } = looped;
      const { batchSize, inChannels: channels, outHeight, outWidth, filterWidth } = info;

      const output = backend.makeOutput(info.outShape, "float32");
      const ends = channelEnds(backend, channels, inputs.bias, floor);
      const [images, weights, to, biases] = addressesOf(backend, [inputs.x, inputs.filter, output, ends]);
      const frame = frameOf(backend, images, info);
      const loops = loopsOf(backend);
      const bands = bandsOf(info);
      const rowOfOutput = outWidth * channels * 4;
      for (let n = 0; n < batchSize; n++) {
        const image = frame.imageAt(n);
        for (const band of bands) {
          loops.convolveChannels(
            image + band.start * frame.row,
            info.strideWidth * frame.pixel,
            info.dilationHeight * frame.row,
            info.strideHeight * frame.row,
            weights + band.firstTap * filterWidth * channels * 4,
            filterWidth,
            band.taps,
            biases,
            to + (n * outHeight + band.from) * rowOfOutput,
            outWidth,
            band.to - band.from,
            channels,
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
