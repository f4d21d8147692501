/**
 * The one place that chooses what computes: TensorFlow on a GPU, TensorFlow on the CPU, or the embedded wasm engine.
 *
 * The choice is a value, and so is every refusal. tfjs' plain JavaScript backend is never an answer: it is hundreds of
 * times slower than the slowest engine here, and a run that silently takes a week is worse than an error.
 */
import { DistillateError, isDistillateError } from "@distillate/bundle";
import { loadTensorflow } from "./tensorflow.ts";
import { loadWasm } from "./wasm.ts";

/** The engines, by name. */
export type EngineName = "tensorflow-gpu" | "tensorflow" | "wasm";

/** The engine of this process, and which better ones are not there and why. */
export interface Engine {
  readonly name: EngineName;
  /** Of the library that computes: TensorFlow's own for native engines, tfjs-backend-wasm's for wasm. */
  readonly version: string;
  readonly refused: readonly EngineRefusal[];
}

/** An engine that was tried before the chosen one. */
export interface EngineRefusal {
  readonly name: EngineName;
  readonly reason: string;
}

/** Sets a tfjs backend up, makes it the current one and returns its version; throws where it isn't there. */
type Load = () => Promise<string>;

const ENGINES: Readonly<Record<EngineName, Load>> = {
  "tensorflow-gpu": () => loadTensorflow("@tensorflow/tfjs-node-gpu"),
  tensorflow: () => loadTensorflow("@tensorflow/tfjs-node"),
  wasm: loadWasm,
};

/** All engine names, the preferred first. */
export const ENGINE_NAMES: readonly EngineName[] = ["tensorflow-gpu", "tensorflow", "wasm"];

let selected: Promise<Engine> | undefined;

/**
 * Makes the best engine that is there, or the one asked for, compute everything that this process trains. The first
 * call decides; later ones get the same engine.
 *
 * @throws DistillateError `engine-missing` when the engine asked for isn't there, `engine-already-chosen` when the process
 * runs on another one, `engine-unknown` for a name that is none.
 */
export async function selectEngine(options: { readonly engine?: EngineName | "auto" } = {}): Promise<Engine> {
  const wanted = options.engine ?? "auto";
  if (wanted !== "auto" && !ENGINE_NAMES.includes(wanted)) {
    throw new DistillateError({
      code: "engine-unknown",
      message: `there is no engine "${wanted}"; there are ${ENGINE_NAMES.join(", ")} and auto`,
      hint: "Leave the engine out to take the fastest one that is installed.",
    });
  }
  const earlier = selected;
  const choice = earlier ?? choose(wanted);
  selected = choice;
  try {
    const engine = await choice;
    if (wanted !== "auto" && engine.name !== wanted) {
      throw new DistillateError({
        code: "engine-already-chosen",
        message: `this process computes with the engine "${engine.name}", and "${wanted}" was asked for`,
        hint: "Choose the engine before anything else is computed, or use one process for each engine.",
      });
    }
    return engine;
  } catch (error) {
    if (!earlier && selected === choice && !(isDistillateError(error) && error.code === "engine-already-chosen")) {
      selected = undefined;
    }
    throw error;
  }
}

async function choose(wanted: EngineName | "auto"): Promise<Engine> {
  const refused: EngineRefusal[] = [];
  for (const name of wanted === "auto" ? ENGINE_NAMES : [wanted]) {
    try {
      return { name, version: await ENGINES[name](), refused };
    } catch (error) {
      if (wanted !== "auto" || name === "wasm") throw error;
      refused.push({ name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  throw new Error("unreachable: wasm either loads or throws");
}
