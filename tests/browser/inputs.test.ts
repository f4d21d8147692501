/** Everything that a page can hand to a model, and everything that a model can be loaded from. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeBundle } from "../fixtures/bundles.ts";
import { findChromium } from "./chromium.ts";
import { inPage, openSite, type Site } from "./sdk-page.ts";

/**
 * One picture of flat colours, 28 x 28 so that nothing is scaled, as PNG so that nothing is lost: `make[form]()` gives it in each
 * form, `scores(input)` its probabilities, class after class.
 */
const PICTURE = `
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 28;
  const context = canvas.getContext("2d");
  context.fillStyle = "#c86432"; context.fillRect(0, 0, 28, 28);
  context.fillStyle = "#1e50fa"; context.fillRect(5, 3, 11, 20);
  const imageData = context.getImageData(0, 0, 28, 28);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const opaque = (step, data) => Uint8Array.from({ length: 28 * 28 * step }, (_, i) => data[Math.floor(i / step) * 4 + (i % step)]);
  const image = async () => {
    const element = new Image();
    element.src = URL.createObjectURL(blob);
    await element.decode();
    return element;
  };
  const video = async () => {
    const element = document.createElement("video");
    element.muted = true;
    element.srcObject = canvas.captureStream();
    // A canvas gives a frame whenever it is drawn on.
    const drawing = setInterval(() => context.putImageData(imageData, 0, 0), 20);
    await element.play();
    clearInterval(drawing);
    return element;
  };
  const svg = async () => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", "image");
    element.setAttribute("href", canvas.toDataURL());
    element.setAttribute("width", 28); element.setAttribute("height", 28);
    const root = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    root.append(element); document.body.append(root);
    await element.decode();
    return element;
  };
  const make = {
    ImageData: () => imageData,
    ImageBitmap: () => createImageBitmap(canvas),
    "<img>": image,
    "<canvas>": () => canvas,
    OffscreenCanvas: () => {
      const other = new OffscreenCanvas(28, 28);
      other.getContext("2d").putImageData(imageData, 0, 0);
      return other;
    },
    "<video>": video,
    VideoFrame: () => new VideoFrame(canvas, { timestamp: 0 }),
    "<svg:image>": svg,
    Blob: () => blob,
    File: () => new File([blob], "picture.png"),
    "encoded bytes": () => bytes,
    ArrayBuffer: () => bytes.buffer.slice(0),
    "RGBA pixels": () => ({ width: 28, height: 28, data: imageData.data }),
    "RGB pixels": () => ({ width: 28, height: 28, data: opaque(3, imageData.data) }),
  };
  const options = { backend: "wasm", variant: "fp32" };
  const scoresOf = ({ top }) => [...top].sort((a, b) => a.index - b.index).map(({ score }) => score);`;

/** Video goes through YUV, so its colours come back a little different. */
const FORMS: readonly { readonly form: string; readonly tolerance: number }[] = [
  "ImageData",
  "ImageBitmap",
  "<img>",
  "<canvas>",
  "OffscreenCanvas",
  "VideoFrame",
  "<svg:image>",
  "Blob",
  "File",
  "encoded bytes",
  "ArrayBuffer",
  "RGBA pixels",
  "RGB pixels",
]
  .map((form) => ({ form, tolerance: 1e-5 }))
  .concat({ form: "<video>", tolerance: 0.05 });

interface Failure {
  readonly code?: string;
  readonly message: string;
  readonly hint?: string;
}

describe.skipIf(!findChromium())("inputs (needs Chromium)", () => {
  let site: Site;
  let page: Page;
  beforeAll(async () => {
    site = await openSite();
    // Of another origin, and nobody there allows it to be read.
    site.server.files.set("/far.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="28" height="28"></svg>');
    page = await site.freshPage();
  });
  afterAll(() => site.close());

  test.each(["module", "main-thread"])("every form of one picture gives one answer (%s)", async (worker) => {
    const found = await inPage<Record<string, number[]>>(
      page,
      worker,
      `${PICTURE}
      const model = await sdk.load("/cnn/", { ...options, worker: argument });
      const found = {};
      for (const [form, create] of Object.entries(make)) {
        found[form] = scoresOf(await model.run(await create(), { topK: 10 }));
      }
      await model.dispose();
      return found;`,
    );
    expect(Object.keys(found).sort()).toEqual(FORMS.map(({ form }) => form).sort());
    const expected = found["RGBA pixels"]!;
    expect(new Set(expected).size).toBeGreaterThan(5);
    for (const { form, tolerance } of FORMS) {
      const furthest = Math.max(...found[form]!.map((score, i) => Math.abs(score - expected[i]!)));
      expect(furthest, form).toBeLessThanOrEqual(tolerance);
    }
  });

  test("several in one call are answered as one by one, pictures of all forms together, and tensors too", async () => {
    const { together, apart, tensors, single } = await inPage<Record<string, number[]>>(
      page,
      null,
      `${PICTURE}
      const model = await sdk.load("/cnn/", options);
      const inputs = [canvas, blob, pixels(28, 28), bytes];
      const together = (await model.run(inputs)).map(({ score }) => score);
      const apart = [];
      for (const input of inputs) apart.push((await model.run(input)).score);
      const rows = [0.1, 0.9].map((value) => new Float32Array(784).fill(value));
      const dims = [1, 28, 28];
      const tensors = (await model.run([rows[0], { data: rows[1], dims }])).map(({ score }) => score);
      const single = [(await model.run(rows[0])).score, (await model.run({ data: rows[1], dims })).score];
      const top = (await model.run(canvas, { topK: 3 })).top;
      if (top.length !== 3) throw new Error("topK");
      await model.dispose();
      return { together, apart, tensors, single };`,
    );
    for (const [i, score] of together!.entries()) expect(score).toBeCloseTo(apart![i]!, 5);
    for (const [i, score] of tensors!.entries()) expect(score).toBeCloseTo(single![i]!, 5);
  });

  test("what this model does not take is refused with its name and the way out, and harms nothing", async () => {
    const failures = await inPage<Record<string, Failure | undefined>>(
      page,
      null,
      `${PICTURE}
      const model = await sdk.load("/cnn/", options);
      const restarts = () => model.stats().restarts;
      const tell = (input) => model.run(input).then(() => undefined, ({ code, message, hint }) => ({ code, message, hint }));
      const closed = await createImageBitmap(canvas);
      closed.close();
      const tainted = document.createElement("canvas");
      const far = new Image();
      far.src = "http://localhost:" + location.port + "/far.svg";
      await far.decode();
      tainted.getContext("2d").drawImage(far, 0, 0);
      const empty = document.createElement("canvas");
      empty.width = 0;
      const failures = {
        text: await tell("a word"),
        sound: await tell({ samples: new Float32Array(16000), sampleRate: 16000 }),
        audioBuffer: await tell(new AudioBuffer({ length: 8, sampleRate: 16000 })),
        nothing: await tell(undefined),
        noList: await tell([]),
        mixed: await tell([canvas, new Float32Array(784)]),
        noPicture: await tell(new Blob(["no picture"])),
        noVideo: await tell(document.createElement("video")),
        emptyCanvas: await tell(empty),
        closedBitmap: await tell(closed),
        otherOrigin: await tell(tainted),
        shortTensor: await tell(new Float32Array(3)),
        wrongSize: await tell({ width: 10, height: 10, data: new Uint8Array(7) }),
      };
      failures.restarts = restarts() === 0 ? undefined : { code: "restarted", message: "" };
      failures.afterwards = await tell(canvas);
      await model.dispose();
      return failures;`,
    );
    const { restarts, afterwards, shortTensor, ...refused } = failures;
    expect([restarts, afterwards]).toEqual([undefined, undefined]);
    expect(shortTensor).toMatchObject({ code: "shape-mismatch" });
    for (const [name, failure] of Object.entries(refused)) {
      expect(failure, name).toMatchObject({ code: "input-unsupported" });
      expect(failure!.hint, name).not.toBe("");
    }
    expect(failures.text).toMatchObject({
      message: expect.stringContaining("image-classification"),
      hint: expect.stringContaining("text-classification"),
    });
    expect(failures.sound!.hint).toContain("audio-classification");
    expect(failures.audioBuffer!.hint).toContain("audio-classification");
    expect(failures.otherOrigin!.hint).toContain("crossorigin");
  });

  test("warm-up, self-test, numbers, capabilities, and an end that is final", async () => {
    const found = await inPage<{
      warm: number;
      report: { ok: boolean };
      stats: { runs: number; heapBytes: number; latency: { total: { p50: number; max: number } } };
      able: { webAssembly: boolean; threads: { usable: number; reason: string } };
      after: Failure;
      waiting: (Failure | undefined)[];
      plan: { chosen: object; refused: { backend: string; reason: string }[] };
    }>(
      page,
      null,
      `
      const model = await sdk.load("/cnn/", { variant: "fp32" });
      const warm = (await model.warmup(4)).length;
      const report = await model.selfTest();
      for (let i = 0; i < 3; i++) await model.run(pixels());
      const stats = model.stats();
      const able = await model.capabilities();
      const waiting = [1, 2, 3].map(() => failure(model.run(pixels())));
      await Promise.all([model.dispose(), model.dispose()]);
      return {
        warm, report, stats, able, plan: model.plan,
        waiting: await Promise.all(waiting), after: await failure(model.run(pixels())),
      };`,
    );
    expect(found).toMatchObject({ warm: 4, report: { ok: true }, after: { code: "disposed" } });
    expect(found.stats.runs).toBeGreaterThanOrEqual(8);
    expect(found.stats.heapBytes).toBeGreaterThan(1024 * 1024);
    expect(found.stats.latency.total.p50).toBeLessThanOrEqual(found.stats.latency.total.max);
    expect(found.able).toMatchObject({ webAssembly: true, threads: { usable: 1 } });
    expect(found.able.threads.reason).toContain("cross-origin isolated");
    expect(found.waiting.every((each) => each?.code === "disposed")).toBe(true);
    expect(found.plan).toMatchObject({ chosen: { backend: "wasm", variant: "fp32", threads: 1 } });
    expect(found.plan.refused.find(({ backend }) => backend === "webgpu")?.reason).toMatch(/WebGPU|adapter/);
  });

  test("a bundle is loaded from an archive as File or bytes, from a directory's handle, and by every form of its address", async () => {
    const { files } = site.bundle("cnn");
    const plain = Object.fromEntries([...files].map(([path, bytes]) => [path, [...bytes]]));
    const labels = await inPage<Record<string, string>>(
      page,
      { zip: [...zipSync(Object.fromEntries(files))], plain },
      `${PICTURE}
      const zip = Uint8Array.from(argument.zip);
      const contents = Object.entries(argument.plain).map(([path, bytes]) => [path, Uint8Array.from(bytes)]);
      const root = await navigator.storage.getDirectory();
      const directory = await root.getDirectoryHandle("picked", { create: true });
      for (const [path, bytes] of contents) {
        const stream = await (await directory.getFileHandle(path, { create: true })).createWritable();
        await stream.write(bytes);
        await stream.close();
      }
      const sources = {
        file: new File([zip], "cnn.zip"),
        bytes: zip,
        buffer: zip.buffer,
        files: contents.map(([path, bytes]) => new File([bytes], path)),
        handle: directory,
        directory: "/cnn/",
        manifest: "/cnn/manifest.json",
        url: new URL("/cnn/", location.href),
      };
      const labels = {};
      for (const [name, source] of Object.entries(sources)) {
        // Each restarts once: what it was loaded from must still be there.
        const model = await sdk.load(source, { ...options, recycle: { runs: 1 }, store: "memory" });
        await model.run(canvas);
        labels[name] = (await model.run(canvas)).label;
        await model.dispose();
      }
      labels.missing = (await failure(sdk.load(await root.getDirectoryHandle("empty", { create: true })))).code;
      labels.nothing = (await failure(sdk.load(42))).code;
      labels.noManifest = (await failure(sdk.load([new File(["x"], "x.txt")]))).code;
      return labels;`,
    );
    const { missing, nothing, noManifest, ...same } = labels;
    expect({ missing, nothing, noManifest }).toEqual({
      missing: "file-missing",
      nothing: "source-unsupported",
      noManifest: "bundle-incompatible",
    });
    expect(Object.keys(same)).toHaveLength(8);
    expect(new Set(Object.values(same)).size).toBe(1);
  });

  test("a directory that a user picks in a file input is a bundle", async () => {
    const directory = join(await mkdtemp(join(tmpdir(), "distillate-picked-")), "my-model");
    await writeBundle(site.bundle("cnn"), directory);
    await page.evaluate(`document.body.innerHTML = '<input type="file" webkitdirectory>'`);
    await page.locator("input").setInputFiles(directory);
    const label = await inPage<string>(
      page,
      null,
      `const model = await sdk.load(document.querySelector("input").files, { backend: "wasm" });
      const { label } = await model.run(pixels());
      await model.dispose();
      return label;`,
    );
    expect(label).toMatch(/^\d$/);
  });
});
