import type { PreprocessSpec } from "@distillate/bundle";

/** How square pictures of one channel become inputs, in tests that need no more than that they do. */
export function greySquares(side: number, { mean = 0, std = 1 } = {}): PreprocessSpec {
  return {
    kind: "image",
    width: side,
    height: side,
    channels: 1,
    fit: "stretch",
    scale: 1 / 255,
    mean: [mean],
    std: [std],
    layout: "nhwc",
  };
}
