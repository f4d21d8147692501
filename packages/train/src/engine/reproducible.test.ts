import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const here = (path: string): string => new URL(path, import.meta.url).href;

const script = `
  import { createHash } from "node:crypto";
  const tf = await import("@tensorflow/tfjs-core");
  const { layers, sequential, initializers } = await import("@tensorflow/tfjs-layers");
  const { selectEngine } = await import(${JSON.stringify(here("./select.ts"))});
  const engine = await selectEngine({ engine: "wasm" });
  const start = (seed) => initializers.heNormal({ seed });
  const model = sequential({ layers: [
    layers.conv2d({ inputShape: [9, 9, 2], filters: 6, kernelSize: 3, strides: 2, kernelInitializer: start(1) }),
    layers.batchNormalization({}), layers.reLU(),
    layers.depthwiseConv2d({ kernelSize: 3, padding: "same", depthwiseInitializer: start(2) }),
    layers.maxPooling2d({ poolSize: 2 }), layers.flatten(), layers.dense({ units: 4, kernelInitializer: start(3) }),
  ] });
  model.compile({ optimizer: tf.train.adam(0.01), loss: (y, z) => tf.losses.softmaxCrossEntropy(y, z) });
  const x = tf.randomNormal([16, 9, 9, 2], 0, 1, "float32", 4);
  const y = tf.oneHot(tf.tensor1d(Int32Array.from({ length: 16 }, (_, i) => i % 4), "int32"), 4);
  const losses = [];
  for (let step = 0; step < 30; step++) losses.push(await model.trainOnBatch(x, y));
  const hash = createHash("sha256");
  for (const weight of model.getWeights()) hash.update(new Uint8Array(weight.dataSync().buffer));
  console.log(JSON.stringify({ engine: engine.name, first: losses[0], last: losses.at(-1), sha256: hash.digest("hex") }));
`;

test("thirty seeded steps on wasm give the same weights, bit by bit, in two processes", async () => {
  const run = async (): Promise<{ engine: string; first: number; last: number; sha256: string }> => {
    const flags = ["--import", "tsx", "--conditions=@distillate/source", "--input-type=module", "--eval", script];
    const cwd = new URL("../..", import.meta.url);
    const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd });
    return JSON.parse(stdout.trim().split("\n").at(-1)!);
  };
  const [one, other] = await Promise.all([run(), run()]);
  expect(one.engine).toBe("wasm");
  expect(one.last).toBeLessThan(one.first);
  expect(other).toEqual(one);
});
