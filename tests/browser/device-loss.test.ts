/** A graphics device that is lost, as when a driver is updated under a page. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findChromium } from "./chromium.ts";
import { HELPERS } from "./page-code.ts";
import { inPage, openSite, type Site } from "./sdk-page.ts";

describe.skipIf(!findChromium())("graphics device (needs Chromium)", () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite({ webgpu: true });
  });
  afterAll(() => site.close());

  test("a device that is lost is replaced, and the next call works", async () => {
    site.server.files.set(
      "/lossy-worker.js",
      `const request = GPUAdapter.prototype.requestDevice;
       const devices = [];
       GPUAdapter.prototype.requestDevice = async function (...wishes) {
         devices.push(await request.apply(this, wishes));
         return devices.at(-1);
       };
       new BroadcastChannel("lose").onmessage = () => devices.forEach((device) => device.destroy());
       const early = [];
       self.onmessage = (event) => early.push(event);
       await import("/sdk/webgpu-worker.js");
       for (const event of early) self.onmessage(event);`,
    );
    const found = await inPage<{ before: number; after: number; scores: number[]; why: string[]; backend: string }>(
      await site.freshPage(),
      null,
      `${HELPERS}
      const worker = () => new Worker("/lossy-worker.js", { type: "module" });
      const model = await open("cnn", { backend: "webgpu", worker, watchdog: 20000 });
      // At once, and beside a model on another backend: onnxruntime-web itself hangs here.
      const other = await open("cnn", { watchdog: 20000 });
      const together = await Promise.all([model, model, other, model, other, model].map((each) => each.run(pixels())));
      const scores = together.map(({ score }) => score);
      await other.dispose();
      const before = (await model.run(pixels())).score;
      new BroadcastChannel("lose").postMessage("now");
      await new Promise((resolve) => setTimeout(resolve, 300));
      const after = (await model.run(pixels())).score;
      await model.dispose();
      return { before, after, scores, why: restarts(), backend: model.backend };`,
    );
    expect(found.backend).toBe("webgpu");
    expect(found.after).toBeCloseTo(found.before, 4);
    expect(found.scores).toHaveLength(6);
    for (const score of found.scores) expect(score).toBeCloseTo(found.before, 4);
    expect(found.why).toHaveLength(1);
  });
});
