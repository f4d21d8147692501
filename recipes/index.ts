import type { RunConfigInput } from "@distillate/train";
import { cifar10 } from "./cifar10.ts";
import { fashionMnist } from "./fashion-mnist.ts";
import { fashionMnistSmall } from "./fashion-mnist-small.ts";
import { fashionMnistTiny } from "./fashion-mnist-tiny.ts";
import { fewLabels } from "./few-labels.ts";
import { imageFolder } from "./image-folder.ts";
import { losses } from "./losses.ts";
import { mnist } from "./mnist.ts";

/** All built-in recipes by name. */
export const RECIPES: { readonly [name: string]: RunConfigInput } = {
  mnist,
  "fashion-mnist": fashionMnist,
  "fashion-mnist-small": fashionMnistSmall,
  "fashion-mnist-tiny": fashionMnistTiny,
  cifar10,
  "few-labels": fewLabels,
  "image-folder": imageFolder,
  losses,
};
