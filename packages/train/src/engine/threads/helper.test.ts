import { once } from "node:events";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { moduleBeside, startThread } from "../../thread.ts";
import { fusesMultiplyAdd } from "../simd/fused-multiply-add.ts";
import type { SharedWasmMemory } from "../simd/instantiate.ts";
import { loopsOf, memoryOf } from "../simd/loops.ts";
import { TASKS, type ToldTo, taskNumber } from "../tasks/index.ts";
import { loadWasm } from "../wasm.ts";
import { addressesOf } from "../wasm-kernels/kernel.ts";
import { makeControlMemory, openMainControl, type Patience } from "./control.ts";
import type { HelperSetup } from "./helper.ts";

const PATIENCE = { look: 0, part: 5000 };

beforeAll(async () => {
  await loadWasm();
});

async function startHelpers(count: number, patience: Patience) {
  const control = makeControlMemory();
  const memory = memoryOf(tf.backend() as BackendWasm) as SharedWasmMemory;
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  const threads = numbers.map((self) => {
    const setup: HelperSetup = { memory, fused: fusesMultiplyAdd(), control, patience, self };
    return startThread(moduleBeside(import.meta.url, "helper"), setup);
  });
  onTestFinished(async () => void (await Promise.all(threads.map((thread) => thread.terminate()))));
  await Promise.all(threads.map((thread) => once(thread, "message")));
  const main = openMainControl(control, patience);
  const rectify = (told: ToldTo<"floor">, parts: number): void =>
    main.open(
      taskNumber("floor"),
      TASKS.floor.fields.map((field) => told[field]),
      parts,
      numbers,
    );
  return { thread: threads[0]!, main, rectify, numbers };
}

/** Lets others work. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 200));

test("a helper does the parts that nobody else takes, in one job after the other, and goes when it is dismissed", async () => {
  const { thread, main, rectify } = await startHelpers(1, PATIENCE);
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
  const { thread, main, rectify } = await startHelpers(1, PATIENCE);
  const error = once(thread, "error");
  // Behind the end of the memory.
  rectify({ size: 8, each: 4, x: -64, least: 0, out: -64 }, 2);
  expect(String((await error)[0])).toContain("out of bounds");
  expect(main.close([1])).toEqual({ failed: [1], missing: [] });
});

test.each([0, 20])(
  "who comes late to one of many short jobs is neither lost nor waited for: looks of %i ms",
  async (look) => {
    const { main, rectify, numbers } = await startHelpers(3, { look, part: 5000 });
    const x = tf.tensor1d([-1, 2, -3, 4]);
    const out = tf.zeros([4]);
    const backend = tf.backend() as BackendWasm;
    const [from, to] = addressesOf(backend, [x, out]);
    const loops = loopsOf(backend);
    for (let job = 0; job < 20_000; job++) {
      backend.typedArrayFromHeap(out).fill(-1);
      rectify({ size: 4, each: 1, x: from, least: 0, out: to }, 4);
      for (let part = main.next(); part >= 0; part = main.next()) loops.floor(from + part * 4, 0, to + part * 4, 1);
      const { failed, missing } = main.close(numbers);
      if (failed.length + missing.length > 0) expect.fail(`job ${job}: ${failed} failed, ${missing} missing`);
      const found = backend.typedArrayFromHeap(out);
      if (found[0] !== 0 || found[1] !== 2 || found[2] !== 0 || found[3] !== 4) expect.fail(`job ${job}: ${found}`);
    }
  },
);
