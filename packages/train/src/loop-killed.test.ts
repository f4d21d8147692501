/** A training whose process is killed, not asked: in the middle of an epoch of captured steps, while batches are made ahead. */
import { execFile } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { engineStatus } from "./engine/status.ts";

process.execArgv.push("--import", "tsx", "--conditions=@distillate/source");
const { ok, detail } = await engineStatus("tensorflow");

const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** 5,600 images make an epoch large enough for a thread. */
const script = `
  const { selectEngine } = await import(${here("./engine/select.ts")});
  const { parseConfig } = await import(${here("./config.ts")});
  const { objectiveOf } = await import(${here("./distill/objective.ts")});
  const { trainModel } = await import(${here("./loop.ts")});
  const { buildModel } = await import(${here("./models/index.ts")});
  await selectEngine({ engine: "tensorflow" });
  const [directory, killAt] = process.argv.slice(1);
  const [count, side] = [5600, 28];
  const pixels = new Uint8Array(count * side * side);
  for (let i = 0; i < pixels.length; i++) {
    const [image, at] = [Math.floor(i / 784), i % 784];
    pixels[i] = (Math.imul(i, 2654435761) >>> 25) + (Math.floor(at / 262) === image % 3 ? 100 : 0);
  }
  const model = buildModel({ name: "cnn", filters: [2], dense: 0, dropout: 0.2 }, { shape: [28, 28, 1], classes: 3, seed: 1 });
  const { student } = parseConfig({
    name: "killed", data: { kind: "mnist" }, teacher: { model: { name: "cnn" } },
    student: { model: { name: "cnn" }, training: { epochs: 3, batchSize: 100, augment: { shift: 2, erase: 0.2 } } },
  });
  const result = await trainModel({
    model,
    images: { count, shape: [side, side, 1], pixels, classes: Uint16Array.from({ length: count }, (_, i) => i % 3) },
    split: { train: Uint32Array.from({ length: 5400 }, (_, i) => i), validation: Uint32Array.from({ length: 200 }, (_, i) => 5400 + i) },
    preprocess: { kind: "image", width: side, height: side, channels: 1, fit: "stretch", layout: "nhwc", scale: 1 / 255, mean: [0.4], std: [0.3] },
    training: student.training, objective: objectiveOf(student.training), seed: 1, directory,
    onEvent(event) {
      console.log(JSON.stringify(event));
      if (event.kind === "step" && event.step === Number(killAt)) process.kill(process.pid, "SIGKILL");
    },
  });
  const weights = model.getWeights().flatMap((weight) => [...weight.dataSync()]);
  console.log(JSON.stringify({ kind: "result", steps: result.steps, history: result.history, weights }));
`;

interface Said {
  readonly kind: string;
  readonly step?: number;
  readonly steps?: { readonly captured: number };
  readonly record?: unknown;
  readonly weights?: readonly number[];
  readonly history?: readonly { readonly losses: Readonly<Record<string, number>> }[];
}

/** Trains in a process of its own, which at some step is killed without a chance to say or save anything; gives what it said. */
async function trainIn(directory: string, killAt?: number) {
  const flags = ["--import", "tsx", "--conditions=@distillate/source", "--input-type=module", "--eval", script];
  const cwd = new URL("..", import.meta.url);
  const run = promisify(execFile)(process.execPath, [...flags, directory, String(killAt)], { cwd });
  const { stdout, signal } = await run.then(
    (done) => ({ ...done, signal: null }),
    (ended: { readonly stdout: string; readonly signal: string | null }) => ended,
  );
  const lines = stdout.trim().split("\n");
  return { signal, said: lines.map((line) => JSON.parse(line) as Said) };
}

test.skipIf(!ok)(
  `killed in the second epoch, it goes on from the end of the first to where an undisturbed one ends${ok ? "" : ` (${detail})`}`,
  async () => {
    const [one, other] = await Promise.all([1, 2].map(() => mkdtemp(join(tmpdir(), "distillate-killed-"))));
    const killed = await trainIn(one!, 70);
    expect(killed.signal).toBe("SIGKILL");
    expect(killed.said.filter(({ kind }) => kind === "epoch")).toHaveLength(1);
    const [resumed, whole] = [await trainIn(one!), await trainIn(other!)];
    expect(resumed.said[0]).toEqual({ kind: "resumed", epoch: 1, step: 54 });
    const [last, expected] = [resumed.said.at(-1)!, whole.said.at(-1)!];
    expect(last.steps!.captured).toBeGreaterThan(100);
    expect(last.history).toHaveLength(3);
    expect(last.history![0]).toEqual(killed.said.find(({ kind }) => kind === "epoch")?.record);
    // Several threads add in no fixed order.
    const apart = last.weights!.map((weight, i) => Math.abs(weight - expected.weights![i]!));
    expect(Math.max(...apart)).toBeLessThan(1e-2);
    const [loss, undisturbed] = [last, expected].map(({ history }) => history![2]!.losses.total!);
    expect(Math.abs(loss! - undisturbed!)).toBeLessThan(1e-3);
  },
  60_000,
);
