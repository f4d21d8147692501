import type { PreprocessSpec } from "@distillate/bundle";
import type { Dataset } from "@distillate/train";

/** How the images of a set become input for training: channels last, as tfjs wants them. */
export function preprocessFor({ train }: Pick<Dataset, "train">): PreprocessSpec {
  const [height, width, channels] = train.shape;
  return {
    kind: "image",
    width,
    height,
    channels: channels as 1 | 3,
    fit: "contain",
    scale: 1 / 255,
    mean: new Array<number>(channels).fill(0),
    std: new Array<number>(channels).fill(1),
    layout: "nhwc",
  };
}
