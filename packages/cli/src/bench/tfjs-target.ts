/** Networks of a run as targets of a benchmark: the benchmark's own process imports this module. */
import type { InputSet, InputTensor, OpenTarget, TargetSpec } from "@distillate/bench";
import { DistillateError } from "@distillate/bundle";
import { loadModel, readCheckpoint, selectEngine } from "@distillate/train";

const ROWS_PER_CALL = 64;

/**
 * Opens a checkpoint directory in tfjs, on the fastest engine that is there.
 *
 * @throws DistillateError `shape-mismatch` when the inputs are not those of this network.
 */
export async function openTarget({ source }: TargetSpec, { tensors }: InputSet): Promise<OpenTarget> {
  const begin = performance.now();
  const [engine, tf] = await Promise.all([selectEngine(), import("@tensorflow/tfjs-core")]);
  const imported = performance.now();
  const { artifacts, info } = await readCheckpoint(source);
  const read = performance.now();
  const network = await loadModel(artifacts);
  const built = performance.now();
  const [height, width, channels] = info.inputShape;
  const [tensor] = tensors;
  if (tensors.length !== 1 || `${tensor!.row}` !== `${[channels, height, width]}`) {
    throw new DistillateError({
      code: "shape-mismatch",
      message: `the network takes one image of [${[channels, height, width]}], the input set has ${tensors.map(({ row }) => `[${row}]`).join(", ")}`,
      hint: "Benchmark a bundle with the networks of the run that made it.",
    });
  }
  const samples = channelsLast(tensor!);
  const size = height * width * channels;
  return {
    phases: { runtime: imported - begin, model: read - imported, session: built - read },
    rowsPerCall: ROWS_PER_CALL,
    tensors: () => tf.memory().numTensors,
    details: { engine: engine.name, version: engine.version },
    prepare(first, rows) {
      const values = new Float32Array(rows * size);
      const count = samples.length / size;
      for (let i = 0; i < rows; i++) {
        const from = ((first + i) % count) * size;
        values.set(samples.subarray(from, from + size), i * size);
      }
      const input = tf.tensor(values, [rows, height, width, channels]);
      return async () => {
        const output = tf.tidy(() => network.predict(input) as ReturnType<typeof tf.tensor>);
        const result = (await output.data()) as Float32Array;
        output.dispose();
        return result;
      };
    },
    async close() {
      network.dispose();
    },
  };
}

/** The same samples as the others take, in the order of tfjs. */
function channelsLast({ data, row }: InputTensor): Float32Array {
  const [channels, height, width] = row as readonly [number, number, number];
  const plane = height * width;
  const values = new Float32Array(data.length);
  for (let at = 0; at < data.length; at++) {
    const sample = Math.floor(at / (channels * plane));
    const channel = Math.floor(at / plane) % channels;
    values[(sample * plane + (at % plane)) * channels + channel] = Number(data[at]);
  }
  return values;
}
