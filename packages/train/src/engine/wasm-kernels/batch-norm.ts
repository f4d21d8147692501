/**
 * Gradient of batch normalisation y = (x - mean) r g + b with r = 1 / sqrt(variance + eps), for given mean and variance:
 *
 *   dx = dy g r      dmean = -g r sum(dy)      dvariance = -1/2 g r^3 sum(dy (x - mean))
 *   dg = r sum(dy (x - mean))      db = sum(dy)
 *
 * Ioffe and Szegedy 2015 (arXiv 1502.03167), section 3; that mean and variance depend on x themselves is left to the moments'
 * own gradient. The stock gradient tiles mean and variance to the size of x; here the two sums are computed once.
 */
import {
  add,
  clone,
  type GradConfig,
  mul,
  neg,
  ones,
  reshape,
  rsqrt,
  sub,
  sum,
  type Tensor,
} from "@tensorflow/tfjs-core";

export const batchNormGradient: GradConfig = {
  kernelName: "FusedBatchNorm",
  inputsToSave: ["x", "mean", "variance", "scale"],
  gradFunc: (dy, saved, attrs): { [input: string]: () => Tensor } => {
    const [x, mean, variance, given] = saved as [Tensor, Tensor, Tensor, Tensor | undefined];
    const upstream = dy as Tensor;
    const channels = mean.size;
    const rows = [x.size / channels, channels];
    const scale = given ?? ones([channels]);
    const r = rsqrt(add(variance, (attrs as unknown as { varianceEpsilon: number }).varianceEpsilon));
    const sumDy = sum(reshape(upstream, rows), 0);
    const sumDyCentred = sum(reshape(mul(upstream, sub(x, mean)), rows), 0);
    const scaled = mul(r, scale);
    return {
      x: () => mul(upstream, scaled),
      mean: () => mul(neg(scaled), sumDy),
      variance: () => mul(mul(mul(scaled, mul(r, r)), -0.5), sumDyCentred),
      scale: () => mul(r, sumDyCentred),
      offset: () => clone(sumDy),
    };
  },
};
