/**
 * Keeps one engine alive. What cannot be stopped is ended with its worker, what died is replaced, and a call that died with its
 * engine is made once more: onnxruntime-web recovers from nothing by itself.
 */
import { DistillateError, isDistillateError } from "@distillate/bundle";
import type { Engine, EngineInput, EngineOutput } from "./engine/engine.ts";
import type { OnEvent, RestartReason } from "./events.ts";
import { orAborted } from "./or-aborted.ts";
import { after } from "./timer.ts";

/** When a healthy engine is replaced between two calls: memory of WebAssembly grows and never shrinks. */
export interface RecyclePolicy {
  readonly runs: number;
  readonly heapBytes: number;
}

/** What a supervisor needs. */
export interface SupervisorOptions {
  readonly start: (signal: AbortSignal) => Promise<Engine>;
  readonly onEvent: OnEvent;
  /** Milliseconds after which a call counts as hung. */
  readonly watchdog: number;
  readonly recycle: RecyclePolicy;
}

/** An engine that is always there. Calls must come one at a time. */
export interface Supervisor {
  /** How often the engine was replaced. */
  readonly restarts: number;
  readonly heapBytes: number | undefined;
  run(input: EngineInput, signal: AbortSignal): Promise<EngineOutput>;
  dispose(): Promise<void>;
}

/** A call that is given up may still end by itself for this long, before its worker is ended. */
const GRACE = 40;

/** Takes over an engine that already runs. */
export function supervise(first: Engine, { start, onEvent, watchdog, recycle }: SupervisorOptions): Supervisor {
  const life = new AbortController();
  let engine: Promise<Engine> | undefined;
  let runs = 0;
  let restarts = 0;
  let heapBytes: number | undefined;
  let settling: Promise<void> | undefined;
  /** Rejects the call under way. One slot, not a listener a call: `lost` lives as long as its engine and would keep them all. */
  let fail: ((engine: Engine, error: Error) => void) | undefined;

  const adopt = (started: Promise<Engine>): void => {
    engine = started;
    runs = 0;
    heapBytes = undefined;
    started.then(
      (running) =>
        void running.lost.then((error) => {
          if (engine === started) replace(reasonOf(error), error.message);
          fail?.(running, error);
        }),
      () => {
        // The next call tries again; nothing of the failure is kept.
        if (engine === started) engine = undefined;
      },
    );
  };
  const ensure = (): Promise<Engine> => {
    if (!engine) adopt(start(life.signal));
    return engine!;
  };
  /** Ends the engine and starts its successor at once, so that the next call need not wait for it. */
  const replace = (reason: RestartReason, message: string): void => {
    const old = engine;
    engine = undefined;
    void old?.then((running) => running.dispose()).catch(() => {});
    if (life.signal.aborted) return;
    restarts++;
    onEvent({ kind: "engine-restarted", reason, message });
    void ensure().catch(() => {});
  };
  /** One call on one engine: its result, or what came first of an abort, the watchdog and the engine's death. */
  const attemptOn = (running: Engine, work: Promise<EngineOutput>, signal: AbortSignal): Promise<EngineOutput> =>
    new Promise<EngineOutput>((resolve, reject) => {
      const cancel = after(watchdog, () => reject(hung(watchdog)));
      const onAbort = (): void => reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      fail = (dead, error) => {
        if (dead === running) reject(error);
      };
      work.then(resolve, reject).finally(() => {
        cancel();
        signal.removeEventListener("abort", onAbort);
      });
    }).finally(() => {
      fail = undefined;
    });

  adopt(Promise.resolve(first));

  return {
    get restarts() {
      return restarts;
    },
    get heapBytes() {
      return heapBytes;
    },
    async run(input, signal) {
      if (settling) await orAborted(settling, signal);
      for (let attempt = 1; ; attempt++) {
        const running = await orAborted(ensure(), signal);
        // An engine that was given up while this call waited for it is not the one to call.
        signal.throwIfAborted();
        const work = running.run(input);
        try {
          const output = await attemptOn(running, work, signal);
          runs++;
          heapBytes = output.heapBytes;
          if (runs >= recycle.runs || (heapBytes ?? 0) >= recycle.heapBytes) replace("recycled", `after ${runs} runs`);
          return output;
        } catch (error) {
          if (signal.aborted) {
            const why = (signal.reason as { code?: string } | undefined)?.code === "timeout" ? "timeout" : "aborted";
            const ours = engine;
            const settled = settle(running, work, () => {
              if (engine === ours) replace(why, "the call under way was stopped");
            }).then(() => {
              if (settling === settled) settling = undefined;
            });
            settling = settled;
            throw error;
          }
          if (!isFatal(error)) throw error;
          // A death of its own has already been answered.
          if (engine && (await engine.catch(() => undefined)) === running)
            replace(reasonOf(error), (error as Error).message);
          if (attempt === 2 || life.signal.aborted) throw error;
          onEvent({ kind: "run-retried", message: (error as Error).message });
        }
      }
    },
    async dispose() {
      const last = engine;
      engine = undefined;
      life.abort(new DOMException("the model was disposed", "AbortError"));
      const ended = last?.then((running) => running.dispose()).catch(() => {});
      await settling;
      await ended;
    },
  };
}

/** After an abort: a short call may end by itself, a long one ends with its worker, one that cannot be ended is awaited. */
async function settle(running: Engine, work: Promise<unknown>, end: () => void): Promise<void> {
  const ended = work.then(
    () => true,
    () => true,
  );
  if (!running.interruptible) return void (await ended);
  const inTime = await Promise.race([ended, new Promise<false>((resolve) => setTimeout(resolve, GRACE, false))]);
  if (!inTime) end();
}

/** Codes after which an engine is not to be trusted with another call. */
const FATAL: readonly string[] = ["worker-failed", "engine-failed", "engine-ended", "device-lost", "engine-hung"];

function isFatal(error: unknown): boolean {
  return isDistillateError(error) ? FATAL.includes(error.code) : true;
}

function reasonOf(error: unknown): RestartReason {
  const code = isDistillateError(error) ? error.code : "";
  return code === "engine-hung" ? "hung" : code === "device-lost" ? "lost" : "failed";
}

function hung(milliseconds: number): DistillateError {
  return new DistillateError({
    code: "engine-hung",
    message: `a call did not return within ${milliseconds} ms`,
    hint: "Raise `watchdog` if this model truly takes so long on this device.",
  });
}
