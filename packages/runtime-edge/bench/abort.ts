/** What it costs to abort a call that is under way: how late its promise rejects, what the page feels of it, when the next call is answered. */
import { inPage, type Site } from "../../../tests/browser/sdk-page.ts";

/** Milliseconds, one of each per try. */
export interface Aborts {
  /** From `abort()` to the promise's rejection. */
  readonly rejected: readonly number[];
  /** The longest that the page went without a turn, from `abort()` to the next call's answer; timers come every 4 ms at best. */
  readonly gap: readonly number[];
  /** From `abort()` to the answer of a call that was made right after the rejection. */
  readonly next: readonly number[];
}

/** The call is a batch that takes about a second, aborted after 300 ms: WebAssembly is busy, its worker has to go. */
const MEASURE = `
  const heavy = { input: { data: new Float32Array(2048 * 3 * 32 * 32), dims: [2048, 3, 32, 32] } };
  const found = { rejected: [], gap: [], next: [] };
  for (let i = -1; i < argument.tries; i++) {
    const model = await sdk.load("/resnet-8/", { backend: "wasm", variant: "fp32", threads: 1 });
    const controller = new AbortController();
    const running = failure(model.runTensors(heavy, { signal: controller.signal }));
    await new Promise((resolve) => setTimeout(resolve, 300));
    let [last, gap, isOver] = [performance.now(), 0, false];
    const tick = () => {
      const now = performance.now();
      gap = Math.max(gap, now - last);
      last = now;
      if (!isOver) setTimeout(tick);
    };
    const from = last;
    setTimeout(tick);
    controller.abort();
    const failed = await running;
    const rejected = performance.now() - from;
    if (failed?.name !== "AbortError") throw new Error("the call was over before it was aborted: " + JSON.stringify(failed));
    await model.run(pixels(32, 32));
    const next = performance.now() - from;
    tick();
    isOver = true;
    await model.dispose();
    // The first fills the cache.
    if (i < 0) continue;
    found.rejected.push(rejected);
    found.gap.push(gap);
    found.next.push(next);
  }
  return found;`;

/** Measures so many aborts in a page of the site. */
export function measureAborts(page: Awaited<ReturnType<Site["freshPage"]>>, tries: number): Promise<Aborts> {
  return inPage<Aborts>(page, { tries }, MEASURE);
}
