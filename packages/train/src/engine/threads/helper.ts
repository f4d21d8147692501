/** A thread that helps with kernels: this is its main module. It does parts of jobs over the engine's memory until it is dismissed. */
import { parentPort, workerData } from "node:worker_threads";
import type { SharedWasmMemory } from "../simd/instantiate.ts";
import { instantiateLoops } from "../simd/loops.ts";
import { taskAt } from "../tasks/index.ts";
import { openHelperControl, type Patience } from "./control.ts";

/** What a helper begins with. */
export interface HelperSetup {
  /** The engine's. */
  readonly memory: SharedWasmMemory;
  /** As the engine's own loops were made. */
  readonly fused: boolean;
  readonly control: SharedArrayBuffer;
  readonly patience: Patience;
  /** Its number, from 1. */
  readonly self: number;
}

const { memory, fused, control: shared, patience, self } = workerData as HelperSetup;
const control = openHelperControl(shared, patience, self);
const loops = instantiateLoops(memory, fused);
parentPort!.postMessage("ready");
for (let job = control.enter(); job; job = control.enter()) {
  try {
    const { fields, begin } = taskAt(job.task);
    const told: Record<string, number> = {};
    for (const [i, field] of fields.entries()) told[field] = job.told[i]!;
    const doPart = begin(loops, self, told);
    for (let part = control.next(); part >= 0; part = control.next()) doPart(part);
  } catch (error) {
    control.fail();
    throw error;
  }
  control.leave();
}
