import type { RunConfigInput } from "@distillate/train";
import { fashionMnist } from "./fashion-mnist.ts";
import { fewLabels } from "./few-labels.ts";
import { imageFolder } from "./image-folder.ts";
import { losses } from "./losses.ts";
import { mnist } from "./mnist.ts";

/** All built-in recipes by name. */
export const RECIPES: { readonly [name: string]: RunConfigInput } = {
  mnist,
  "fashion-mnist": fashionMnist,
  "few-labels": fewLabels,
  "image-folder": imageFolder,
  losses,
};
