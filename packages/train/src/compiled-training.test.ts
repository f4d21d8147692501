import { describe } from "vitest";
import { describeCapturedTraining } from "./compiled-training.test.cases.ts";
import { engineStatus } from "./engine/status.ts";

process.execArgv.push("--import", "tsx", "--conditions=@distillate/source");
const { ok, detail } = await engineStatus("tensorflow");

describe.skipIf(!ok)(`a captured training takes the steps of an eager one${ok ? "" : ` (${detail})`}`, () => {
  describeCapturedTraining("tensorflow", 1, true);
});
