/**
 * Times an ONNX file in onnxruntime-node with a loop and nothing else, as an outside yardstick for `distillate bench`.
 *
 * Usage: time-onnx.mjs FILE THREADS   Prints "ready"; then, for each line with a number of milliseconds, a JSON list: the
 * milliseconds of each call in that time. One sample in; the batch and other open dimensions are 1.
 */
import { createInterface } from "node:readline";
import ort from "onnxruntime-node";

const [path, threads] = process.argv.slice(2);
const session = await ort.InferenceSession.create(path, { intraOpNumThreads: Number(threads), interOpNumThreads: 1 });
const feeds = {};
for (const { name, shape } of session.inputMetadata) {
  const dims = shape.map((side) => (typeof side === "number" ? side : 1));
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (i % 97) / 97);
  feeds[name] = new ort.Tensor("float32", data, dims);
}

async function block(milliseconds) {
  const samples = [];
  const begin = performance.now();
  for (;;) {
    const before = performance.now();
    await session.run(feeds);
    const after = performance.now();
    samples.push(after - before);
    if (after - begin > milliseconds) return samples;
  }
}

await block(300);
console.log("ready");
for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await block(Number(line))));
