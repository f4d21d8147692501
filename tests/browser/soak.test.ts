/**
 * Loaded and disposed a thousand times, run ten thousand times: nothing is left behind. Workers take 0.1 s each, so they are 150
 * unless DISTILLATE_SOAK says how many.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findChromium } from "./chromium.ts";
import { inPage, openSite, type Site } from "./sdk-page.ts";

const HELPERS = `
  const heap = () => (gc(), gc(), performance.memory.usedJSHeapSize);
  const options = { backend: "wasm", variant: "fp32", worker: argument.worker ?? "module" };
  const cycle = async () => {
    const model = await sdk.load("/cnn/", options);
    await model.run(pixels());
    const { heapBytes } = model.stats();
    await model.dispose();
    return heapBytes;
  };`;

/** What is forgotten stays in every round; what the browser keeps for itself, now and then, in some. */
function median(rounds: readonly number[]): number {
  return rounds.toSorted((a, b) => a - b)[Math.floor(rounds.length / 2)]!;
}

describe.skipIf(!findChromium())("soak (needs Chromium)", () => {
  let site: Site;
  let page: Page;
  beforeAll(async () => {
    site = await openSite({ exactMemory: true });
    page = await site.freshPage();
  });
  afterAll(() => site.close());

  const workers = Number(process.env.DISTILLATE_SOAK ?? 150);
  /** Bytes that each further cycle or run leaves in the page, at most; an object that is forgotten has a few hundred. */
  const FLAT = 100;

  test("1,000 models in the page's own thread, where WebAssembly's memory is one for all", async () => {
    const { left, wasm } = await inPage<{ left: number[]; wasm: number[] }>(
      page,
      { worker: "main-thread" },
      `${HELPERS}
      // Memory of the one runtime in this thread.
      const memories = [];
      const { Memory } = WebAssembly;
      WebAssembly.Memory = class { constructor(wanted) { memories.push(new Memory(wanted)); return memories.at(-1); } };
      const { instantiate } = WebAssembly;
      WebAssembly.instantiate = async (...call) => {
        const result = await instantiate(...call);
        memories.push(...Object.values((result.instance ?? result).exports).filter((value) => value instanceof Memory));
        return result;
      };
      for (let i = 0; i < 100; i++) await cycle();
      const wasm = [Math.max(...memories.map(({ buffer }) => buffer.byteLength))];
      let last = heap();
      const left = [];
      for (let round = 0; round < 9; round++) {
        for (let i = 0; i < 100; i++) await cycle();
        const now = heap();
        left.push((now - last) / 100);
        last = now;
      }
      wasm.push(Math.max(...memories.map(({ buffer }) => buffer.byteLength)));
      return { left, wasm };`,
    );
    expect(wasm[0]).toBeGreaterThan(1024 * 1024);
    expect(wasm[1]).toBe(wasm[0]);
    // onnxruntime-web itself keeps up to 600 bytes a session in its thread.
    expect(median(left)).toBeLessThan(10 * FLAT);
  });

  test("models in workers: each worker goes with its model", async () => {
    const { left } = await inPage<{ left: number[] }>(
      page,
      { rounds: Math.ceil(workers / 50) },
      `${HELPERS}
      for (let i = 0; i < 50; i++) await cycle();
      let last = heap();
      const left = [];
      for (let round = 0; round < argument.rounds; round++) {
        for (let i = 0; i < 50; i++) await cycle();
        const now = heap();
        left.push((now - last) / 50);
        last = now;
      }
      return { left };`,
    );
    await expect.poll(() => page.workers().length).toBe(0);
    // The browser's own books of its workers come and go by hundreds of bytes a cycle.
    expect(median(left)).toBeLessThan(3 * FLAT);
  });

  test("10,000 runs of one model, some of them aborted or refused", async () => {
    const { left, heaps } = await inPage<{ left: number; heaps: number[] }>(
      page,
      {},
      `${HELPERS}
      const model = await sdk.load("/cnn/", options);
      const row = new Float32Array(784);
      const runs = async (count) => {
        for (let i = 0; i < count; i++) {
          if (i % 50 === 0) await model.run(new Float32Array(3)).catch(() => {});
          const controller = new AbortController();
          const running = model.run(row, { signal: controller.signal, timeout: 10000 });
          if (i % 100 === 0) controller.abort();
          await running.catch(() => {});
        }
      };
      // Its own window of latencies is full after this.
      await runs(1500);
      const before = heap();
      const heaps = [model.stats().heapBytes];
      await runs(8500);
      heaps.push(model.stats().heapBytes);
      const left = (heap() - before) / 8500;
      await model.dispose();
      return { left, heaps };`,
    );
    expect(left).toBeLessThan(FLAT);
    expect(heaps[1]).toBe(heaps[0]);
  });
});
