/** The page of `distillate serve`, as a person uses it: drawn on, given an image, cleared, and told of a bundle that does not load. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type FixtureBundle, fixtureBundles, writeBundle } from "../fixtures/bundles.ts";
import { findChromium, launchChromium } from "./chromium.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MAIN = join(ROOT, "packages/cli/src/main.ts");

/** The real command on some bundles; resolves with its address once it listens. */
async function start(bundles: readonly string[]): Promise<{ readonly child: ChildProcess; readonly address: string }> {
  const args = ["--import", "tsx", "--conditions=@distillate/source", MAIN, "serve", ...bundles, "--json"];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const address = await new Promise<string>((found, failed) => {
    let [out, err] = ["", ""];
    child.stdout.on("data", (text) => {
      out += text;
      if (out.includes("\n")) found((JSON.parse(out) as { addresses: string[] }).addresses[0]!);
    });
    child.stderr.on("data", (text) => {
      err += text;
    });
    child.once("exit", (status) => failed(new Error(`serve ended with ${status}: ${err}`)));
  });
  return { child, address };
}

describe.skipIf(!findChromium())("distillate serve (needs Chromium)", () => {
  let browser: Browser;
  let cnn: FixtureBundle;
  let child: ChildProcess;
  let address: string;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    const [directory, bundles] = await Promise.all([mkdtemp(join(tmpdir(), "distillate-demo-")), fixtureBundles()]);
    cnn = bundles.find(({ name }) => name === "cnn")!;
    await writeBundle(cnn, join(directory, "digits"));
    ({ child, address } = await start([join(directory, "digits")]));
    browser = await launchChromium();
  });
  afterEach(() => page.close());
  afterAll(async () => {
    await browser.close();
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
  });

  async function open(viewport = { width: 1000, height: 800 }): Promise<void> {
    page = await browser.newPage({ viewport });
    complaints.length = 0;
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", ({ message }) => complaints.push(message));
    await page.goto(address);
  }

  const answers = (): Promise<string[]> => page.locator(".card .answer").allTextContents();
  const answered = async (): Promise<void> => {
    await expect.poll(() => page.locator(".card .bars li").count(), { timeout: 20_000 }).toBe(6);
  };

  async function draw(): Promise<void> {
    const { x, y, width, height } = (await page.locator("#pad").boundingBox())!;
    await page.mouse.move(x + width * 0.5, y + height * 0.2);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.5, y + height * 0.8, { steps: 6 });
    await page.mouse.up();
  }

  test("what is drawn is answered on every card, with latency, size, backend and reasons; clearing takes it back", async () => {
    await open();
    await draw();
    await answered();
    const cards = await page.locator(".card").allInnerTexts();
    expect(cards).toHaveLength(2);
    for (const [i, id] of ["fp32", "int8"].entries()) {
      expect(cards[i]).toMatch(new RegExp(`cnn\\s*${id}`));
      expect(cards[i]).toMatch(/\d+\.\d\d ms[\s\S]*kB[\s\S]*wasm/);
    }
    expect(await page.locator(".card details").first().textContent()).toContain("self-test on this device");
    expect(await page.locator("#pad-hint").isVisible()).toBe(false);

    await page.locator("#pad").focus();
    await page.keyboard.press("Escape");
    expect(await answers()).toEqual(["…", "…"]);
    expect(await page.locator("#pad-hint").isVisible()).toBe(true);
    expect(complaints).toEqual([]);
  });

  test("an image is taken as well, and what is none is told", async () => {
    await open({ width: 390, height: 844 });
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"><circle cx="30" cy="20" r="15" fill="white"/></svg>';
    const png = await page.evaluate(`(async () => {
      const image = new Image();
      image.src = "data:image/svg+xml," + encodeURIComponent(${JSON.stringify(svg)});
      await image.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [60, 40];
      canvas.getContext("2d").drawImage(image, 0, 0);
      return canvas.toDataURL("image/png").split(",")[1];
    })()`);
    const buffer = Buffer.from(png as string, "base64");
    await page.locator("#file").setInputFiles({ name: "circle.png", mimeType: "image/png", buffer });
    await answered();
    await page
      .locator("#file")
      .setInputFiles({ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("no image") });
    await expect.poll(() => page.locator("#note").textContent()).toContain("no image");
    // Nothing is wider than a phone.
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    expect(complaints).toEqual([]);
  });

  test("who draws before the list of models has come is answered when it comes", async () => {
    page = await browser.newPage();
    let answer: () => void = () => undefined;
    const drawn = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route("**/bundles.json", async (route) => {
      await drawn;
      await route.continue();
    });
    await page.goto(address);
    await draw();
    answer();
    await answered();
  });

  test("a model whose file was lost on the way is told on its card; the other one answers", async () => {
    page = await browser.newPage();
    await page.route("**/student.int8.onnx", (route) => route.fulfill({ status: 404, body: "" }));
    await page.goto(address);
    await draw();
    await expect.poll(() => page.locator(".card .bars li").count(), { timeout: 20_000 }).toBe(3);
    await expect
      .poll(() => page.locator(".card .error").textContent(), { timeout: 20_000 })
      .toMatch(/404|student\.int8/);
  });
});

test("what is no bundle is named before anything is served", async () => {
  const empty = await mkdtemp(join(tmpdir(), "distillate-empty-"));
  await writeFile(join(empty, "model.onnx"), "");
  await expect(start([empty])).rejects.toThrow(/ended with 1: error bundle-missing: .* is neither a bundle nor a run/);
  await expect(start([])).rejects.toThrow(/ended with 2: .*a bundle or the directory of a run is needed/);
});
