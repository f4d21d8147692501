import { once } from "node:events";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { moduleBeside, startThread } from "../../thread.ts";
import { fusesMultiplyAdd } from "../simd/fused-multiply-add.ts";
import type { SharedWasmMemory } from "../simd/instantiate.ts";
import { memoryOf } from "../simd/loops.ts";
import { TASKS, type ToldTo, taskNumber } from "../tasks/index.ts";
import { loadWasm } from "../wasm.ts";
import { addressesOf } from "../wasm-kernels/kernel.ts";
import { makeControlMemory, openMainControl } from "./control.ts";
import type { HelperSetup } from "./helper.ts";

const PATIENCE = { look: 0, part: 5000 };

beforeAll(async () => {
  await loadWasm();
});

async function startHelper() {
  const control = makeControlMemory();
  const memory = memoryOf(tf.backend() as BackendWasm) as SharedWasmMemory;
  const setup: HelperSetup = { memory, fused: fusesMultiplyAdd(), control, patience: PATIENCE, self: 1 };
  const thread = startThread(moduleBeside(import.meta.url, "helper"), setup);
  onTestFinished(async () => void (await thread.terminate()));
  await once(thread, "message");
  const main = openMainControl(control, PATIENCE);
  const rectify = (told: ToldTo<"floor">, parts: number): void =>
    main.open(
      taskNumber("floor"),
      TASKS.floor.fields.map((field) => told[field]),
      parts,
      [1],
    );
  return { thread, main, rectify };
}

/** Lets others work. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 200));

test("a helper does the parts that nobody else takes, in one job after the other, and goes when it is dismissed", async () => {
  const { thread, main, rectify } = await startHelper();
  const x = tf.tensor1d([-1, 2, -3, 4, -5, 6, -7]);
  for (const each of [2, 3]) {
    const out = tf.zeros([7]);
    const [from, to] = addressesOf(tf.backend() as BackendWasm, [x, out]);
    rectify({ size: 7, each, x: from, least: 0, out: to }, Math.ceil(7 / each));
    await pause();
    expect(main.next()).toBe(-1);
    expect(main.close([1])).toEqual({ failed: [], missing: [] });
    expect([...out.dataSync()]).toEqual([0, 2, 0, 4, 0, 6, 0]);
  }
  const exit = once(thread, "exit");
  main.dismiss(1);
  expect(await exit).toEqual([0]);
});

test("a helper whose part throws has failed, and says why", async () => {
  const { thread, main, rectify } = await startHelper();
  const error = once(thread, "error");
  // Behind the end of the memory.
  rectify({ size: 8, each: 4, x: -64, least: 0, out: -64 }, 2);
  expect(String((await error)[0])).toContain("out of bounds");
  expect(main.close([1])).toEqual({ failed: [1], missing: [] });
});
