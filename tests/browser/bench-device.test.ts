/** A phone measured with `distillate bench --serve`, Chromium in its part: joined by the one-time link, measured, reloaded in between. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseReport } from "@distillate/bench/node";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixtureBundles, writeBundle } from "../fixtures/bundles.ts";
import { findChromium, launchChromium } from "./chromium.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MAIN = join(ROOT, "packages/cli/src/main.ts");

interface Served {
  readonly child: ChildProcess;
  readonly address: string;
  /** Its exit status, and what it wrote on the way. */
  readonly ended: Promise<{ readonly status: number | null; readonly text: string }>;
}

/** Starts the command on a port that the system picks; resolves with the link. */
function serve(args: readonly string[], port = "0"): Promise<Served> {
  const node = ["--import", "tsx", "--conditions=@distillate/source", MAIN, "bench", ...args];
  const child = spawn(process.execPath, [...node, "--serve", "--host", "127.0.0.1", "--port", port, "--json"], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const ended = new Promise<{ status: number | null; text: string }>((done) => {
    child.once("close", (status) => done({ status, text }));
  });
  return new Promise((found, failed) => {
    const hear = (part: Buffer): void => {
      text += part;
      const line = /\{"kind":"device-page".*\}/.exec(text)?.[0];
      if (line) found({ child, ended, address: (JSON.parse(line) as { addresses: string[] }).addresses.at(-1)! });
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    ended.then(({ status }) => failed(new Error(`bench ended with ${status}: ${text}`)));
  });
}

describe.skipIf(!findChromium())("bench --serve (needs Chromium)", () => {
  let browser: Browser;
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "distillate-device-"));
    await writeBundle((await fixtureBundles()).find(({ name }) => name === "cnn")!, directory);
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  test("a device joins by its link, is measured, and its report says what it is; a second one is not let in", async () => {
    const output = join(directory, "phone.json");
    const { address, ended } = await serve([directory, "--scenarios", "offline", "--output", output]);
    const page = await browser.newPage({ userAgent: "A phone", viewport: { width: 390, height: 844 } });
    await page.goto(address);
    await expect.poll(() => page.locator("#status").textContent(), { timeout: 30_000 }).toBe("Measuring");

    const other = await browser.newContext();
    const stranger = await other.newPage();
    await stranger.goto(address);
    await expect.poll(() => stranger.locator("#status").textContent()).toBe("This link was used already");
    const origin = new URL(address).origin;
    for (const path of ["/models/0", "/inputs", "/inputs/0"])
      expect((await other.request.get(`${origin}${path}`)).status()).toBe(403);
    expect((await other.request.post(`${origin}/next`, { data: "{}" })).status()).toBe(403);

    // As a phone that ran out of memory does.
    await page.reload();
    await expect.poll(() => page.locator("body").textContent(), { timeout: 120_000 }).toMatch(/Done|ended/);
    expect(await page.locator("body").textContent()).toContain("The results are on the computer.");
    expect((await ended).status).toBe(0);
    const report = parseReport(await readFile(output, "utf8"), output);
    expect(report.environment).toMatchObject({ device: "A phone", "device screen": expect.stringMatching(/^390x844/) });
    const done = report.targets.filter(({ problem }) => problem === undefined);
    // What was at work when the page was loaded again may be lost, no more.
    expect(done.length).toBeGreaterThanOrEqual(1);
    for (const { place, latency, quality, details } of done) {
      expect(place).toBe("page");
      expect(details.isolated).toBe(true);
      expect(latency!.summary!.n).toBeGreaterThan(64);
      expect(quality).toBeDefined();
    }
    expect(report.notes.map(({ code }) => code)).toContain("webgpu-missing");
  });

  test("interrupted before anyone came, it ends with 130", async () => {
    const { child, ended } = await serve([directory]);
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ status: 130 });
  });

  test("a used port and a wrong one are named", async () => {
    const first = await serve([directory]);
    const port = new URL(first.address).port;
    await expect(serve([directory], port)).rejects.toThrow(/error port-in-use: port \d+ of 127.0.0.1 is in use/);
    first.child.kill("SIGINT");
    await first.ended;
  });
});
