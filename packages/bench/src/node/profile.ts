/**
 * Where the time goes: onnxruntime's own profile of a session, folded by layer. Our files name nodes after their layers
 * (`conv_1`, `conv_1/relu`); the part before the first slash is the layer. onnxruntime's optimiser appends to names where it
 * rewrites nodes (`_nchwc`, `_token_3`), and names those that it adds, to change the layout, after their op.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { rowsOf } from "../session.ts";
import type { InputSet } from "../target.ts";

/** Milliseconds a run, layer by layer in the order of the graph. */
export interface Profile {
  readonly runs: number;
  readonly layers: readonly {
    readonly layer: string;
    readonly ops: readonly string[];
    readonly milliseconds: number;
  }[];
}

/** One entry of onnxruntime's profile, as far as it is read. */
export interface ProfileEvent {
  readonly cat?: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: { readonly op_name?: string; readonly node_index?: string };
}

/** Work between layers, such as changes of layout. */
const ADDED = "(added by onnxruntime)";
const RUNS = 50;
const WARM = 5;

/** Profiles a file with one thread. */
export async function profileModel(path: string, inputs: InputSet): Promise<Profile> {
  const directory = await mkdtemp(join(tmpdir(), "distillate-profile-"));
  try {
    const session = await InferenceSession.create(path, {
      executionProviders: ["cpu"],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
      enableProfiling: true,
      profileFilePrefix: join(directory, "profile"),
    });
    const feeds = Object.fromEntries(
      inputs.tensors.map((tensor) => [
        tensor.name,
        new Tensor(tensor.dtype as "float32", rowsOf(tensor, 0, 1) as Float32Array, [1, ...tensor.row]),
      ]),
    );
    for (let i = 0; i < WARM + RUNS; i++) await session.run(feeds);
    session.endProfiling();
    await session.release();
    const [file] = await readdir(directory);
    return foldProfile(JSON.parse(await readFile(join(directory, file!), "utf8")) as readonly ProfileEvent[], WARM);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Sums kernel times by layer, the first `skip` runs left out. */
export function foldProfile(events: readonly ProfileEvent[], skip: number): Profile {
  const kernels = events.filter(({ cat, name }) => cat === "Node" && name.endsWith("_kernel_time"));
  const seen = new Map<string, number>();
  const layers = new Map<string, { ops: Set<string>; microseconds: number }>();
  let runs = 0;
  for (const { name, dur, args } of kernels) {
    const run = (seen.get(name) ?? 0) + 1;
    seen.set(name, run);
    if (run <= skip) continue;
    runs = Math.max(runs, run - skip);
    const layer = layerOf(name.slice(0, -"_kernel_time".length), args?.op_name);
    const entry = layers.get(layer) ?? { ops: new Set<string>(), microseconds: 0 };
    entry.ops.add(args?.op_name ?? "unknown");
    entry.microseconds += dur;
    layers.set(layer, entry);
  }
  return {
    runs,
    layers: [...layers].map(([layer, { ops, microseconds }]) => ({
      layer,
      ops: [...ops],
      milliseconds: microseconds / 1000 / Math.max(1, runs),
    })),
  };
}

function layerOf(node: string, op: string | undefined): string {
  const name = node.replace(/(_nchwc|_nhwc|_token_\d+)+$/, "");
  return name === op || name === "" ? ADDED : name.split("/")[0]!;
}
