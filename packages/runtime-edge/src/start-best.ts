/** Down the plan until a candidate computes the bundle's probe rightly here; with `calibrate` through all of it, for the fastest. */
import { DistillateError, isDistillateError, type Manifest, type ProbeData } from "@distillate/bundle";
import { callSignal } from "./call-signal.ts";
import type { Engine, EngineInput, EngineOutput } from "./engine/engine.ts";
import type { OnEvent } from "./events.ts";
import { orAborted } from "./or-aborted.ts";
import type { Candidate, Plan, Refusal } from "./planner.ts";
import { type SelfTestReport, selfTest } from "./self-test.ts";
import { type EngineParts, startEngine } from "./start-engine.ts";

/** What to try and how to judge it. */
export interface Trial {
  readonly parts: EngineParts;
  readonly plan: Plan;
  readonly manifest: Manifest;
  readonly probe: ProbeData | undefined;
  readonly calibrate: boolean;
  readonly onEvent: OnEvent;
}

/** The way that passed, with an engine that runs, and what did not. */
export interface Started {
  readonly engine: Engine;
  readonly chosen: Candidate;
  readonly selfTest: SelfTestReport | undefined;
  readonly refused: readonly Refusal[];
}

/** @throws DistillateError `no-backend` with all that was tried, or the error of the one file that is at fault. */
export async function startBest(trial: Trial, signal: AbortSignal): Promise<Started> {
  const { manifest, probe, onEvent, plan } = trial;
  const refused: Refusal[] = [...plan.refused];
  let best: Omit<Started, "refused"> | undefined;
  let lastError: unknown;
  for (const candidate of plan.candidates) {
    const { backend, variant } = candidate;
    const from = performance.now();
    let engine: Engine | undefined;
    let limit: ReturnType<typeof callSignal> | undefined;
    try {
      engine = await startEngine(trial.parts, candidate, signal);
      const running = engine;
      // An engine that starts and then hangs, as graphics drivers do, has failed its test.
      limit = callSignal(signal, trial.parts.startTimeout);
      const within = limit.signal;
      const run = (input: EngineInput): Promise<EngineOutput> => orAborted(orLost(running, input), within);
      const report = probe && (await selfTest(run, manifest, variant, probe));
      if (report && !report.ok) throw selfTestFailed(candidate, report);
      onEvent({ kind: "ready", backend, variant, milliseconds: performance.now() - from });
      const found = { engine, chosen: candidate, selfTest: report };
      const slower = best && report!.median < best.selfTest!.median ? best : best && found;
      best = slower === found ? best : found;
      if (slower) {
        refused.push({ ...slower.chosen, reason: `slower: ${slower.selfTest!.median.toFixed(2)} ms a call` });
        await slower.engine.dispose();
      }
      if (!trial.calibrate || !probe) break;
    } catch (error) {
      await engine?.dispose().catch(() => {});
      if (signal.aborted) {
        await best?.engine.dispose();
        throw signal.reason;
      }
      const { message } = error as Error;
      refused.push({ ...candidate, reason: message });
      onEvent({ kind: "attempt-failed", backend, variant, message });
      lastError = error;
    } finally {
      limit?.release();
    }
  }
  if (!best) throw noBackend(refused, lastError);
  return { ...best, refused };
}

/** A fresh engine in place of one that is gone: the same way, which has been tested; where that fails, the next that passes. */
export async function startAgain(trial: Trial, before: Started, signal: AbortSignal): Promise<Started> {
  const { chosen } = before;
  try {
    return { ...before, engine: await startEngine(trial.parts, chosen, signal) };
  } catch (error) {
    const candidates = trial.plan.candidates.filter((candidate) => candidate !== chosen);
    if (signal.aborted || candidates.length === 0) throw error;
    const { message } = error as Error;
    trial.onEvent({ kind: "attempt-failed", backend: chosen.backend, variant: chosen.variant, message });
    const refused = [...before.refused, { ...chosen, reason: message }];
    return startBest({ ...trial, calibrate: false, plan: { candidates, refused } }, signal);
  }
}

/** A call, or the death of its engine; engines of this thread do not reject their calls when they die. */
function orLost(engine: Engine, input: EngineInput): Promise<EngineOutput> {
  return new Promise((resolve, reject) => {
    void engine.lost.then(reject);
    engine.run(input).then(resolve, reject);
  });
}

function selfTestFailed({ backend, variant }: Candidate, { difference, tolerance }: SelfTestReport): DistillateError {
  return new DistillateError({
    code: "self-test-failed",
    message: `${backend} computes ${variant} wrongly here: off by ${difference}, allowed ${tolerance}`,
    hint: "Another backend or variant is tried by itself.",
  });
}

/** Where a file is at fault, that is the error; otherwise all that was tried is told. */
function noBackend(refused: readonly Refusal[], last: unknown): DistillateError {
  const tried = refused.map(({ backend, variant, reason }) => `${backend}${variant ? ` ${variant}` : ""}: ${reason}`);
  const { code, hint } = isDistillateError(last) ? last : { code: "", hint: undefined };
  const about = ["got-html", "file-corrupted", "file-missing", "download-failed"].includes(code);
  return new DistillateError({
    code: about ? code : "no-backend",
    message: `the model cannot run here. ${tried.join("; ") || "There was nothing to try."}`,
    hint: hint ?? "See `capabilities()`; without `backend` and `variant` all ways are tried.",
    cause: last,
  });
}
