import { describe } from "vitest";
import { describeCapturedTraining } from "./compiled-training.test.cases.ts";

describe("on wasm a captured training takes the steps of an eager one, to the bit", () => {
  describeCapturedTraining("wasm", 0, false);
});
