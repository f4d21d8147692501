/**
 * Gradient of a mean: every element gets dy / n. tfjs multiplies dy by as many ones as there are elements and divides all of
 * them; here the few are divided, and then repeated.
 */
import { broadcastTo, div, type GradConfig, reshape, type Tensor, util, zeros } from "@tensorflow/tfjs-core";

export const meanGradient: GradConfig = {
  kernelName: "Mean",
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attrs) => ({
    x: () => {
      const { shape, size } = x!;
      if (size === 0) return zeros(shape);
      const axes = util.parseAxisParam((attrs as unknown as { axis: number | number[] }).axis, shape);
      const upstream = dy as Tensor;
      const each = div(upstream, size / upstream.size);
      const kept = shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
      return broadcastTo(reshape(each, kept), shape);
    },
  }),
};
