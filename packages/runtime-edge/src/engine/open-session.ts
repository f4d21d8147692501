/** The engine itself: onnxruntime with one session. The same code serves in a worker, in a page's own thread and in Node. */
import { DistillateError } from "@distillate/bundle";
import type { Onnxruntime, OnnxTensor } from "../backends/backend.ts";
import type { DecodeImage } from "./decode-image.ts";
import type { Engine, EngineSetup, TensorValues } from "./engine.ts";
import { prepareInput } from "./prepare-input.ts";

/**
 * Opens a session.
 *
 * @throws DistillateError `backend-unavailable` when onnxruntime cannot load or refuses the model.
 */
export async function openSession(
  importRuntime: () => Promise<Onnxruntime>,
  setup: EngineSetup,
  decode: DecodeImage,
  heapBytes: () => number | undefined = () => undefined,
): Promise<Engine> {
  const started = performance.now();
  let ready = started;
  try {
    const ort = await importRuntime();
    // Node's own build has no wasm settings to speak of.
    if (ort.env.wasm) {
      ort.env.wasm.numThreads = setup.threads;
      if (setup.runtime instanceof Uint8Array) ort.env.wasm.wasmBinary = setup.runtime;
    }
    ort.env.logLevel = "error";
    ready = performance.now();
    const session = await ort.InferenceSession.create(setup.model, {
      executionProviders: [setup.provider],
      ...(setup.backend === "node" ? { intraOpNumThreads: setup.threads, interOpNumThreads: 1 } : {}),
    });
    const opened = { milliseconds: { runtime: ready - started, session: performance.now() - ready } };

    return {
      opened,
      interruptible: false,
      lost: setup.backend === "webgpu" ? deviceLost(ort) : new Promise<Error>(() => {}),
      async run(input) {
        const from = performance.now();
        const tensors = await prepareInput(input, setup.contract, decode);
        const feeds = Object.fromEntries(
          setup.contract.inputs.map(({ name, dtype }) => {
            const { data, dims } = tensors[name]!;
            return [name, new ort.Tensor(dtype, data, dims)];
          }),
        );
        const prepared = performance.now();
        const results = await session.run(feeds);
        const outputs: Record<string, TensorValues> = {};
        for (const { name } of setup.contract.outputs) outputs[name] = await values(results[name], name);
        const milliseconds = { prepare: prepared - from, run: performance.now() - prepared };
        for (const tensor of [...Object.values(feeds), ...Object.values(results)]) tensor.dispose?.();
        const heap = heapBytes();
        return { outputs, milliseconds, ...(heap === undefined ? {} : { heapBytes: heap }) };
      },
      dispose: () => session.release(),
    };
  } catch (cause) {
    throw new DistillateError({
      code: "backend-unavailable",
      message: `${setup.backend} cannot run this model: ${(cause as Error)?.message ?? cause}`,
      hint: 'Another backend may do (`backend: "wasm"`); `capabilities()` says what this device has.',
      cause,
    });
  }
}

/** Takes the values out of onnxruntime's memory, which the next call may overwrite. */
async function values(tensor: OnnxTensor | undefined, name: string): Promise<TensorValues> {
  if (tensor === undefined) {
    throw new DistillateError({
      code: "bundle-incompatible",
      message: `the model has no output "${name}", which its manifest names`,
      hint: "Make the bundle again; manifest and model do not belong together.",
    });
  }
  const data = (await (tensor.getData?.() ?? tensor.data)) as TensorValues["data"];
  return { data: data.slice() as TensorValues["data"], dims: [...tensor.dims] };
}

async function deviceLost(ort: Onnxruntime): Promise<Error> {
  const device = await ort.env.webgpu?.device;
  const lost = await device?.lost;
  // Without a promise to wait for, the watchdog finds out.
  if (!lost) return new Promise<Error>(() => {});
  return new DistillateError({
    code: "device-lost",
    message: `the graphics device was lost: ${lost.message || "no reason given"}`,
    hint: "The model goes on with a fresh device or another backend by itself.",
  });
}
