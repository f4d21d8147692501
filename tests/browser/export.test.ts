/** The exporter in a page: bundled as an app does it, the same bytes as in Node, which onnxruntime-node then runs. */
import { createHash } from "node:crypto";
import { exportModel, type ModelArtifacts } from "@distillate/export";
import { build } from "esbuild";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { findChromium, launchChromium } from "./chromium.ts";

const layer = (className: string, name: string, config: object): object => ({
  class_name: className,
  config: { name, ...config },
});
const WEIGHTS: readonly (readonly [name: string, shape: readonly number[]])[] = [
  ["stem/kernel", [3, 3, 1, 4]],
  ["norm/gamma", [4]],
  ["norm/beta", [4]],
  ["norm/moving_mean", [4]],
  ["norm/moving_variance", [4]],
  ["logits/kernel", [144, 3]],
  ["logits/bias", [3]],
];
const count = WEIGHTS.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
/** Sixteenths: exact in every engine. */
const ARTIFACTS: ModelArtifacts = {
  modelTopology: {
    class_name: "Sequential",
    config: {
      name: "digits",
      layers: [
        layer("Conv2D", "stem", {
          batch_input_shape: [null, 8, 8, 1],
          filters: 4,
          kernel_size: [3, 3],
          strides: [1, 1],
          padding: "valid",
          use_bias: false,
        }),
        layer("BatchNormalization", "norm", { axis: -1, epsilon: 0.001 }),
        layer("Activation", "relu", { activation: "relu" }),
        layer("Flatten", "flat", {}),
        layer("Dense", "logits", { units: 3, activation: "linear" }),
      ],
    },
  },
  weightSpecs: WEIGHTS.map(([name, shape]) => ({ name, shape: [...shape], dtype: "float32" })),
  weightData: new Uint8Array(Float32Array.from({ length: count }, (_, i) => (1 + (i % 31)) / 16).buffer),
};
const OPTIONS = { name: "digits" } as const;

test("equal models give equal bytes, whatever runs the exporter", () => {
  const { onnx } = exportModel(ARTIFACTS, OPTIONS);
  expect(createHash("sha256").update(onnx).digest("hex")).toMatchInlineSnapshot(
    `"3888dcac80fc7a24ec11da8f804810d5059c9246335069582d626ac5977964d9"`,
  );
});

test.skipIf(!findChromium())("in a page (needs Chromium)", async () => {
  const contents = `import { exportModel } from "@distillate/export"; globalThis.exportModel = exportModel;`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: "ts" },
    bundle: true,
    format: "iife",
    write: false,
    conditions: ["@distillate/source"],
    // Nothing is external: what needed Node would fail to build.
    platform: "browser",
    logLevel: "silent",
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.addScriptTag({ content: outputFiles[0]!.text });
    const { weightData, ...rest } = ARTIFACTS;
    const found = (await page.evaluate(
      `(() => {
        const { bytes, rest } = ${JSON.stringify({ bytes: [...(weightData as Uint8Array)], rest })};
        return [...exportModel({ ...rest, weightData: Uint8Array.from(bytes) }, ${JSON.stringify(OPTIONS)}).onnx];
      })()`,
    )) as number[];
    const onnx = Uint8Array.from(found);
    expect(Buffer.compare(onnx, exportModel(ARTIFACTS, OPTIONS).onnx)).toBe(0);
    const session = await InferenceSession.create(onnx);
    const { logits } = await session.run({
      input: new Tensor("float32", new Float32Array(64).fill(0.5), [1, 1, 8, 8]),
    });
    expect(logits!.dims).toEqual([1, 3]);
    await session.release();
  } finally {
    await browser.close();
  }
});
