import { test } from "vitest";
import { fixtureBundles } from "../fixtures/bundles.ts";
import { launchChromium } from "./chromium.ts";
import { inPage, publish, serveSdk } from "./sdk-page.ts";

test("try", async () => {
  const bundles = await fixtureBundles();
  const server = await serveSdk();
  const browser = await launchChromium();
  const page = await browser.newPage();
  page.on("console", (m) => console.log("console", m.text()));
  page.on("pageerror", (m) => console.log("pageerror", m));
  for (const b of bundles) publish(server, b.name, b);
  await page.goto(server.url);
  for (const worker of ["module", "main-thread"]) {
  const r = await inPage(page, worker, `
    const events = [];
    const t0 = performance.now();
    const model = await sdk.load("/cnn/manifest.json", { worker: argument, onEvent: (e) => events.push(e) });
    const t1 = performance.now();
    const data = new Uint8ClampedArray(28*28*4).map((_, i) => i % 251);
    const result = await model.run(new ImageData(data, 28, 28));
    const t2 = performance.now();
    for (let i = 0; i < 200; i++) await model.run(new ImageData(data, 28, 28));
    const stats = model.stats();
    await model.dispose();
    const t3 = performance.now();
    const again = await sdk.load("/cnn/manifest.json", { worker: argument });
    const t4 = performance.now();
    return { load: t1 - t0, first: t2 - t1, reload: t4 - t3, result, events, stats, plan: model.plan, list: await sdk.cache.list(), quota: await sdk.cache.quota() };
  `);
  console.log(JSON.stringify(r, null, 1).slice(0, 6000));
  }
  await browser.close();
  await server.close();
}, 120000);
