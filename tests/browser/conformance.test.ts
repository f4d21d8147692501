/** Every backend computes the same: one list of cases over all places where a model can run. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { preprocessImage, softmax } from "@distillate/bundle";
import { load, type TensorValues } from "@distillate/runtime-edge/node";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FixtureBundle, fixtureBundles, logits, writeBundle } from "../fixtures/bundles.ts";
import { findChromium } from "./chromium.ts";
import { inPage, openSite, type Site } from "./sdk-page.ts";

interface Answer {
  /** Of the bundle's probe, row after row. */
  readonly logits: readonly number[];
  /** Probabilities for one picture, class after class. */
  readonly scores: readonly number[];
  readonly backend: string;
  readonly selfTest: { readonly ok: boolean; readonly difference: number };
}

type Variant = "fp32" | "int8";

interface Place {
  readonly name: string;
  readonly page?: { readonly backend: "wasm" | "webgpu"; readonly worker: "module" | "main-thread" };
  readonly node?: "node" | "wasm";
}

const PLACES: readonly Place[] = [
  { name: "wasm main thread", page: { backend: "wasm", worker: "main-thread" } },
  { name: "wasm worker", page: { backend: "wasm", worker: "module" } },
  { name: "webgpu worker", page: { backend: "webgpu", worker: "module" } },
  { name: "node wasm", node: "wasm" },
  { name: "node native", node: "node" },
];
const NAMES = ["cnn", "ds-cnn", "resnet-8", "resnet-9"] as const;
const VARIANTS: readonly Variant[] = ["fp32", "int8"];

/** An odd size, so that every model has something to scale, and nothing symmetrical. */
const PICTURE = { width: 45, height: 31 } as const;
const picture = Uint8ClampedArray.from({ length: PICTURE.width * PICTURE.height * 4 }, (_, i) => (i * 7919) % 251);

let site: Site | undefined;
let page: Page;
let bundles: readonly FixtureBundle[];
let directory: string;

beforeAll(async () => {
  site = findChromium() ? await openSite({ webgpu: true }) : undefined;
  bundles = site?.bundles ?? (await fixtureBundles());
  directory = await mkdtemp(join(tmpdir(), "distillate-bundles-"));
  for (const bundle of bundles) await writeBundle(bundle, join(directory, bundle.name));
  if (site) page = await site.freshPage();
});

afterAll(() => site?.close());

async function answerInPage(bundle: FixtureBundle, variant: Variant, options: Place["page"]): Promise<Answer> {
  const { inputs } = bundle.manifest;
  const dims = [bundle.probe.samples, ...inputs[0]!.shape.slice(1)];
  return inPage(
    page,
    { name: bundle.name, options: { ...options, variant }, values: [...bundle.probe.inputs], dims, picture: PICTURE },
    `
    const model = await sdk.load("/" + argument.name + "/", argument.options);
    const data = Float32Array.from(argument.values);
    const { logits } = await model.runTensors({ input: { data, dims: argument.dims } });
    const { top } = await model.run(pixels(argument.picture.width, argument.picture.height), { topK: 10 });
    const { ok, difference } = await model.selfTest();
    await model.dispose();
    return {
      logits: [...logits.data], backend: model.backend, selfTest: { ok, difference },
      scores: [...top].sort((a, b) => a.index - b.index).map(({ score }) => score),
    };`,
  );
}

async function answerInNode(bundle: FixtureBundle, variant: Variant, backend: "node" | "wasm"): Promise<Answer> {
  const model = await load(join(directory, bundle.name), { backend, variant });
  const dims = [bundle.probe.samples, ...bundle.manifest.inputs[0]!.shape.slice(1).map(Number)];
  const input: TensorValues = { data: bundle.probe.inputs, dims };
  const outputs = await model.runTensors({ input });
  const { top } = await model.run({ data: picture, ...PICTURE }, { topK: 10 });
  const { ok, difference } = await model.selfTest();
  await model.dispose();
  return {
    logits: [...(outputs.logits!.data as Float32Array)],
    backend: model.backend,
    selfTest: { ok, difference },
    scores: [...top].sort((a, b) => a.index - b.index).map(({ score }) => score),
  };
}

function furthest(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  return Math.max(...Array.from(expected, (value, i) => Math.abs(value - found[i]!)));
}

describe.each(PLACES)("$name", (place) => {
  const skipped = place.page !== undefined && !findChromium() ? " (needs Chromium)" : "";
  for (const name of NAMES) {
    for (const variant of VARIANTS) {
      test.skipIf(skipped !== "")(`${name} ${variant}${skipped}`, async () => {
        const bundle = bundles.find((each) => each.name === name)!;
        const answer = place.page
          ? await answerInPage(bundle, variant, place.page)
          : await answerInNode(bundle, variant, place.node!);

        const { preprocess, probe } = bundle.manifest;
        const prepared = preprocessImage({ ...PICTURE, channels: 4, data: picture }, preprocess);
        const { channels, height, width } = preprocess;
        const onnx = bundle.files.get("student.fp32.onnx")!;
        const expected = softmax(await logits(onnx, prepared, [1, channels, height, width]));
        const tolerance = variant === "fp32" ? 1e-4 : probe!.tolerance.int8!;
        expect(answer.backend).toBe(place.page?.backend ?? place.node);
        expect(answer.selfTest.ok).toBe(true);
        expect(furthest(answer.logits, bundle.probe.outputs)).toBeLessThanOrEqual(tolerance);
        expect(answer.logits.some((value) => value !== 0)).toBe(true);
        expect(furthest(answer.scores, expected)).toBeLessThanOrEqual(tolerance);
      });
    }
  }
});
