/** A host holds targets and runs them: in a process of its own, in a page, or right here. It times; it decides nothing. */
import { DistillateError } from "@distillate/bundle";
import { type Block, runBlock } from "./block.ts";
import { createCalibration } from "./calibration.ts";
import { type Clock, callsPerSample, measureResolution } from "./clock.ts";
import { type Paced, runPaced } from "./paced.ts";
import { summarize } from "./statistics.ts";
import type { InputSet, Opener, OpenTarget, Phases, TargetSpec } from "./target.ts";

/** What opening gave. */
export interface Opened {
  /** With the first run's time. */
  readonly phases: Phases;
  readonly rowsPerCall: number;
  /** Smallest step of the clock there, milliseconds. */
  readonly resolution: number;
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** Bytes; what cannot be read at a place is absent. */
export interface Memory {
  readonly rss?: number | undefined;
  /** The most it ever was. */
  readonly peakRss?: number | undefined;
  readonly wasmHeap?: number | undefined;
  /** What a page's scripts and workers hold, as the browser measures it. */
  readonly page?: number | undefined;
}

/** What is held at a moment; cheap to ask for. Of the whole place but for `tensors`, which are its runtime's. */
export interface Held {
  readonly rss?: number | undefined;
  readonly wasmHeap?: number | undefined;
  readonly tensors?: number | undefined;
}

/** Runs targets, one call at a time. */
export interface Host {
  setInputs(inputs: InputSet): Promise<void>;
  /** With warm-up, unless only the way to the first result is of interest. */
  open(spec: TargetSpec, warm?: boolean): Promise<Opened>;
  /** Calls of so many samples each, back to back. */
  block(id: string, milliseconds: number, rows: number): Promise<Block>;
  paced(id: string, framesPerSecond: number, frames: number): Promise<Paced>;
  /** What it computes for the first so many samples, row after row. */
  outputs(id: string, samples: number): Promise<readonly number[]>;
  memory(): Promise<Memory>;
  /** How much more is held than after the target's first block: what a runtime leaks shows here. */
  growth(id: string): Promise<Held>;
  close(): Promise<void>;
}

/** A host in a place that can be left and entered again. */
export interface ReenteredHost extends Host {
  /** Begins anew with nothing in memory, but with the browser's cache as it is; `false` where a place has no such thing. */
  reenter(): Promise<boolean>;
}

/** What a host finds where it is. */
export interface HostParts {
  readonly openers: Readonly<Record<string, Opener>>;
  /** For runtimes that are addresses of modules. */
  readonly importOpener?: (address: string) => Promise<Opener>;
  readonly clock: Clock;
  readonly memory: () => Promise<Memory>;
  readonly held?: () => Omit<Held, "tensors">;
  /** What happened to the place since it was last asked. */
  readonly noticed?: () => readonly string[];
  /** Processor milliseconds of this process so far. */
  readonly cpu?: () => number;
}

/** Samples that latency is measured on, in turn: enough that no runtime serves a remembered answer. */
const ROTATION = 32;
const WARM_CALLS = 3;
const WARM_MILLISECONDS = 300;
/** More says nothing new, and a slow target shall not keep the others waiting. */
const WARM_LIMIT = 2_000;

interface Entry {
  readonly target: OpenTarget;
  /** Calls a sample, as the block before showed it: compilers go on after the warm-up. */
  batch: number;
  readonly calls: Map<number, readonly (() => Promise<Float32Array>)[]>;
  /** After the first block: by then inputs are made and caches filled. */
  first?: Held;
}

/** Makes a host. */
export function createHost({ openers, importOpener, clock, memory, cpu, held: place, noticed }: HostParts): Host {
  const resolution = measureResolution(clock);
  const calibrate = createCalibration(clock, resolution);
  const held = new Map<string, Entry>();
  let inputs: InputSet | undefined;

  const heldOf = (id: string): Entry => {
    const found = held.get(id);
    if (found) return found;
    throw new Error(`target ${id} is not open here`);
  };
  /** A call that goes through the samples in turn, with everything it needs made before. */
  const rotating = (
    { target, calls }: Pick<Entry, "target" | "calls">,
    rows: number,
  ): (() => Promise<Float32Array>) => {
    let prepared = calls.get(rows);
    if (!prepared) {
      const count = rows === 1 ? Math.min(ROTATION, inputs!.samples) : 1;
      prepared = Array.from({ length: count }, (_, i) => target.prepare(i, rows));
      calls.set(rows, prepared);
    }
    const all = prepared;
    let next = 0;
    return () => all[next++ % all.length]!();
  };

  const heldNow = ({ target }: Entry): Held => ({ ...place?.(), tensors: target.tensors?.() });

  return {
    async setInputs(set) {
      inputs = set;
    },
    async open(spec, warm = true) {
      const opener = openers[spec.runtime] ?? (await importOpener?.(spec.runtime));
      if (!opener) throw unknownRuntime(spec.runtime, Object.keys(openers));
      const target = await opener(spec, inputs!);
      const first = target.prepare(0, 1);
      const from = clock.now();
      await first();
      const firstRun = clock.now() - from;
      const call = warm ? await warmUp(rotating({ target, calls: new Map() }, 1), clock) : firstRun;
      held.set(spec.id, { target, batch: callsPerSample(call, resolution), calls: new Map() });
      return {
        phases: { ...target.phases, firstRun },
        rowsPerCall: target.rowsPerCall,
        resolution,
        details: target.details ?? {},
      };
    },
    async block(id, milliseconds, rows) {
      const target = heldOf(id);
      const batch = rows === 1 ? target.batch : 1;
      // What happened before it is not the block's.
      noticed?.();
      const block = await runBlock(rotating(target, rows), milliseconds, { clock, calibrate, batch, cpu });
      if (rows === 1) target.batch = callsPerSample(summarize(block.samples).p50, resolution);
      target.first ??= heldNow(target);
      const found = noticed?.() ?? [];
      return found.length > 0 ? { ...block, noticed: found } : block;
    },
    paced: (id, framesPerSecond, frames) => runPaced(rotating(heldOf(id), 1), { framesPerSecond, frames, clock }),
    async outputs(id, samples) {
      const { target } = heldOf(id);
      const values: number[] = [];
      for (let first = 0; first < samples; first += target.rowsPerCall) {
        const rows = Math.min(target.rowsPerCall, samples - first);
        for (const value of await target.prepare(first, rows)()) values.push(value);
      }
      return values;
    },
    memory,
    async growth(id) {
      const entry = heldOf(id);
      const [now, first = now] = [heldNow(entry), entry.first];
      const more = (name: keyof Held): number | undefined =>
        now[name] === undefined || first[name] === undefined ? undefined : now[name] - first[name];
      return { rss: more("rss"), wasmHeap: more("wasmHeap"), tensors: more("tensors") };
    },
    async close() {
      for (const { target } of held.values()) await target.close();
      held.clear();
    },
  };
}

/** Calls until the code is compiled and the caches are filled; returns milliseconds a call at the end. */
async function warmUp(call: () => Promise<unknown>, { now }: Clock): Promise<number> {
  const begin = now();
  let calls = 0;
  let last = begin;
  let half = begin;
  let halfCalls = 0;
  while ((calls < WARM_CALLS || last - begin < WARM_MILLISECONDS) && (calls === 0 || last - begin < WARM_LIMIT)) {
    await call();
    calls++;
    last = now();
    if (last - begin < WARM_MILLISECONDS / 2) [half, halfCalls] = [last, calls];
  }
  return calls > halfCalls ? (last - half) / (calls - halfCalls) : 0;
}

function unknownRuntime(runtime: string, known: readonly string[]): DistillateError {
  return new DistillateError({
    code: "runtime-unknown",
    message: `there is no runtime ${runtime} here, only ${known.join(", ")}`,
    hint: "Leave the target out, or update this software.",
  });
}
