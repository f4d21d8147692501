import type { RunConfigInput } from "@distillate/train";
import { mnist } from "./mnist.ts";

/** All built-in recipes by name. */
export const RECIPES: { readonly [name: string]: RunConfigInput } = { mnist };
