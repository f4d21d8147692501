import { load } from "@distillate/runtime-edge";

(globalThis as { load?: unknown }).load = load;
