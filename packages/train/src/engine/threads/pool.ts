/**
 * The threads that share the kernels of the wasm engine. A kernel's work is a job of parts, which depend neither on each other nor on
 * who does them, so results are the same whatever the number of threads.
 */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { moduleBeside, startThread } from "../../thread.ts";
import { fusesMultiplyAdd } from "../simd/fused-multiply-add.ts";
import type { SharedWasmMemory } from "../simd/instantiate.ts";
import { memoryOf } from "../simd/loops.ts";
import { type MainControl, MOST_HELPERS, makeControlMemory, openMainControl, type Patience } from "./control.ts";
import type { HelperSetup } from "./helper.ts";

/** Longer than most waits within a step: a virtual machine's core that sleeps may wake beside a busy one, as the other half of the same. */
const LOOK_MILLISECONDS = 20;
/** A part takes milliseconds. */
const PART_MILLISECONDS = 20_000;

/** Threads that share kernels. */
export interface Threads {
  /** How many they are, this one included. */
  readonly count: number;
  /** Why they are fewer than were asked for. */
  readonly reason?: string;
  /** Gives them back. */
  release(): void;
}

interface Loan {
  readonly helpers: number;
  onLost(count: number, reason: string): void;
}

interface Helper {
  readonly thread: Worker;
  /** Settles when it takes parts, with an error when it cannot. */
  readonly ready: Promise<void>;
  isReady: boolean;
  /** It is to end. */
  isLetGo: boolean;
}

/** Helpers and how they are told of jobs. */
export interface Pool {
  readonly control: MainControl;
  readonly setup: Omit<HelperSetup, "self">;
  /** By number. */
  readonly helpers: Map<number, Helper>;
}

const loans = new Set<Loan>();
let pool: Pool | undefined;

/**
 * Has a backend's kernels shared by so many threads, this one included, until they are given back. While several are lent at once,
 * there are as many as the most of them, until the last is given back.
 *
 * @param onLost - Told how many are left, and why, when a thread is gone that was not given back; kernels go on without it.
 */
export async function lendThreads(
  backend: BackendWasm,
  wanted: number,
  onLost: (count: number, reason: string) => void,
): Promise<Threads> {
  const memory = memoryOf(backend);
  if (!(memory.buffer instanceof SharedArrayBuffer)) {
    return {
      count: 1,
      reason: "this version of tfjs-backend-wasm does not share its memory",
      release: () => undefined,
    };
  }
  const loan: Loan = { helpers: Math.min(wanted - 1, MOST_HELPERS), onLost };
  pool ??= openPool(memory as SharedWasmMemory, patienceOf(wanted));
  const current = pool;
  loans.add(loan);
  const numbers = Array.from({ length: loan.helpers }, (_, i) => i + 1);
  const started = await Promise.allSettled(numbers.map(async (self) => helperOf(current, self).ready));
  const failed = started.find((each) => each.status === "rejected");
  const count = countOf(loan);
  const reason = failed ? `not all start: ${(failed.reason as Error).message}` : `no more than ${count} can be had`;
  return {
    count,
    ...(count < wanted && { reason }),
    release() {
      loans.delete(loan);
      if (loans.size === 0) dismissAll();
    },
  };
}

/** The helpers that there are now. */
export function currentPool(): Pool | undefined {
  return pool;
}

/** Ends all helpers: one that is missing may yet wake, and would take parts of later jobs. */
export function giveUp(): void {
  for (const helper of pool!.helpers.values()) letGo(helper, (thread) => void thread.terminate());
  pool!.helpers.clear();
  pool = undefined;
}

function patienceOf(threads: number): Patience {
  // With fewer cores than threads, who looks may hold the core of the one it looks for.
  return { look: threads > availableParallelism() ? 0 : LOOK_MILLISECONDS, part: PART_MILLISECONDS };
}

function openPool(memory: SharedWasmMemory, patience: Patience): Pool {
  const control = makeControlMemory();
  const setup = { memory, control, patience, fused: fusesMultiplyAdd() };
  return { control: openMainControl(control, patience), setup, helpers: new Map() };
}

/** A pool's helper of a number, which is started where it is not there. */
function helperOf({ control, helpers, setup }: Pool, self: number): Helper {
  const known = helpers.get(self);
  if (known) return known;
  control.admit(self);
  const thread = startThread(moduleBeside(import.meta.url, "helper"), { ...setup, self } satisfies HelperSetup);
  let reason: string | undefined;
  const ready = new Promise<void>((resolve, reject) => {
    thread.once("message", () => {
      helper.isReady = true;
      // From now on it is no reason for the process to live.
      thread.unref();
      resolve();
    });
    thread.on("error", (error) => {
      reason = error.message;
    });
    thread.on("exit", (code) => {
      reason ??= `it ended with exit status ${code}`;
      if (helpers.get(self) === helper) helpers.delete(self);
      if (helper.isReady && !helper.isLetGo) reportLost(self, `worker ${self + 1} is gone: ${reason}`);
      reject(new Error(reason));
    });
  });
  const helper: Helper = { thread, ready, isReady: false, isLetGo: false };
  helpers.set(self, helper);
  return helper;
}

function dismissAll(): void {
  if (!pool) return;
  const { control, helpers } = pool;
  for (const [self, helper] of helpers) letGo(helper, () => control.dismiss(self));
  helpers.clear();
  pool = undefined;
}

function letGo(helper: Helper, how: (thread: Worker) => void): void {
  helper.isLetGo = true;
  how(helper.thread);
}

/** Tells those to whom a helper was lent. */
function reportLost(self: number, reason: string): void {
  for (const loan of loans) if (loan.helpers >= self) loan.onLost(countOf(loan), reason);
}

/** How many threads a loan has now, the one that runs kernels included. */
function countOf(loan: Loan): number {
  return 1 + [...(pool?.helpers.keys() ?? [])].filter((self) => self <= loan.helpers).length;
}
