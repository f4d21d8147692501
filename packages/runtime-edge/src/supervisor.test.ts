import { DistillateError } from "@distillate/bundle";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Engine, EngineInput, EngineOutput } from "./engine/engine.ts";
import type { RuntimeEvent } from "./events.ts";
import { type SupervisorOptions, supervise } from "./supervisor.ts";

const INPUT: EngineInput = { kind: "tensors", tensors: {} };
const never = new AbortController().signal;

interface FakeEngine extends Engine {
  readonly disposed: () => boolean;
  /** Ends the call under way. */
  answer: (heapBytes?: number) => void;
  fail: (error: Error) => void;
  die: (error: Error) => void;
  readonly calls: () => number;
  /** Listeners on `lost`. */
  readonly listeners: () => number;
}

function fakeEngine(interruptible = true): FakeEngine {
  let disposed = false;
  let calls = 0;
  let listeners = 0;
  let die!: (error: Error) => void;
  const lost = new Promise<Error>((resolve) => {
    die = resolve;
  });
  const then = lost.then.bind(lost);
  // biome-ignore lint/suspicious/noThenProperty: counts who waits for this one promise.
  lost.then = ((...handlers: Parameters<typeof then>) => {
    listeners++;
    return then(...handlers);
  }) as typeof lost.then;
  const engine: FakeEngine = {
    opened: { milliseconds: { runtime: 0, session: 0 } },
    interruptible,
    lost,
    run: () =>
      new Promise<EngineOutput>((resolve, reject) => {
        calls++;
        engine.answer = (heapBytes) =>
          resolve({ outputs: {}, milliseconds: { prepare: 0, run: 0 }, ...(heapBytes ? { heapBytes } : {}) });
        engine.fail = reject;
      }),
    async dispose() {
      disposed = true;
      engine.fail(new DistillateError({ code: "engine-ended", message: "ended", hint: "" }));
    },
    answer: () => {},
    fail: () => {},
    die,
    disposed: () => disposed,
    calls: () => calls,
    listeners: () => listeners,
  };
  return engine;
}

function supervised(options: Partial<SupervisorOptions> = {}) {
  const engines = [fakeEngine()];
  const events: RuntimeEvent[] = [];
  const supervisor = supervise(engines[0]!, {
    start: async () => {
      engines.push(fakeEngine());
      return engines.at(-1)!;
    },
    onEvent: (event) => events.push(event),
    watchdog: 1000,
    recycle: { runs: Number.POSITIVE_INFINITY, heapBytes: Number.POSITIVE_INFINITY },
    ...options,
  });
  const restarts = (): readonly string[] =>
    events.flatMap((event) => (event.kind === "engine-restarted" ? [event.reason] : []));
  return { engines, events, supervisor, restarts };
}

/** Lets everything that can happen now happen. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

function failed(code: string): DistillateError {
  return new DistillateError({ code, message: code, hint: "" });
}

afterEach(() => void vi.useRealTimers());

describe("supervisor", () => {
  test("a call on a sound engine passes through, and leaves no listener behind", async () => {
    const { engines, supervisor, restarts } = supervised();
    for (let i = 0; i < 50; i++) {
      const running = supervisor.run(INPUT, never);
      await settle();
      engines[0]!.answer();
      await running;
    }
    expect(engines[0]!.calls()).toBe(50);
    expect(engines[0]!.listeners()).toBe(1);
    expect(restarts()).toEqual([]);
  });

  test.each([
    ["engine-failed", "failed"],
    ["worker-failed", "failed"],
    ["device-lost", "lost"],
  ])("%s: a fresh engine makes the call once more", async (code, reason) => {
    const { engines, events, supervisor, restarts } = supervised();
    const running = supervisor.run(INPUT, never);
    await settle();
    engines[0]!.fail(failed(code));
    await settle();
    engines[1]!.answer();
    await running;
    expect(restarts()).toEqual([reason]);
    expect(engines[0]!.disposed()).toBe(true);
    expect(events.filter(({ kind }) => kind === "run-retried")).toHaveLength(1);
  });

  test("a call that fails twice fails, and the next has a third engine", async () => {
    const { engines, supervisor } = supervised();
    const running = supervisor.run(INPUT, never);
    running.catch(() => {});
    await settle();
    engines[0]!.fail(failed("engine-failed"));
    await settle();
    engines[1]!.fail(failed("engine-failed"));
    await expect(running).rejects.toMatchObject({ code: "engine-failed" });
    const next = supervisor.run(INPUT, never);
    await settle();
    engines[2]!.answer();
    await next;
  });

  test("an input that does not fit is the caller's: the engine stays", async () => {
    const { engines, supervisor, restarts } = supervised();
    const running = supervisor.run(INPUT, never);
    await settle();
    engines[0]!.fail(failed("input-unsupported"));
    await expect(running).rejects.toMatchObject({ code: "input-unsupported" });
    expect(restarts()).toEqual([]);
  });

  test("an engine that dies between two calls is replaced before the next", async () => {
    const { engines, supervisor, restarts } = supervised();
    engines[0]!.die(failed("device-lost"));
    await settle();
    expect(restarts()).toEqual(["lost"]);
    const running = supervisor.run(INPUT, never);
    await settle();
    engines[1]!.answer();
    await running;
  });

  test("an engine that dies under a call which never answers: the call is made again", async () => {
    const { engines, supervisor, restarts } = supervised();
    const running = supervisor.run(INPUT, never);
    await settle();
    engines[0]!.die(failed("device-lost"));
    await settle();
    engines[1]!.answer();
    await running;
    expect(restarts()).toEqual(["lost"]);
  });

  test("a call that never answers is hung, and made once more", async () => {
    const { engines, supervisor, restarts } = supervised({ watchdog: 20 });
    const running = supervisor.run(INPUT, never);
    while (engines.length < 2) await settle();
    await settle();
    engines[1]!.answer();
    await running;
    expect(restarts()).toEqual(["hung"]);
  });

  test("without a watchdog nothing is hung at once", async () => {
    const { engines, supervisor, restarts } = supervised({ watchdog: Number.POSITIVE_INFINITY });
    const running = supervisor.run(INPUT, never);
    await new Promise((resolve) => setTimeout(resolve, 20));
    engines[0]!.answer();
    await running;
    expect(restarts()).toEqual([]);
  });

  test.each([
    [new Error("given up"), "aborted"],
    [failed("timeout"), "timeout"],
  ])("an abort rejects at once and ends a long call with its engine: %s", async (cause, reason) => {
    const { engines, supervisor, restarts } = supervised();
    const controller = new AbortController();
    const running = supervisor.run(INPUT, controller.signal);
    await settle();
    controller.abort(cause);
    await expect(running).rejects.toBe(cause);
    const next = supervisor.run(INPUT, never);
    while (engines.length < 2) await settle();
    await settle();
    engines[1]!.answer();
    await next;
    expect(restarts()).toEqual([reason]);
  });

  test("a short call that is aborted may end by itself, and its engine stays", async () => {
    const { engines, supervisor, restarts } = supervised();
    const controller = new AbortController();
    const running = supervisor.run(INPUT, controller.signal);
    await settle();
    controller.abort(new Error("given up"));
    await expect(running).rejects.toThrow("given up");
    engines[0]!.answer();
    const next = supervisor.run(INPUT, never);
    await settle();
    engines[0]!.answer();
    await next;
    expect(restarts()).toEqual([]);
    expect(engines).toHaveLength(1);
  });

  test("an engine that cannot be interrupted is awaited, never doubled", async () => {
    const first = fakeEngine(false);
    const { supervisor } = {
      supervisor: supervise(first, {
        start: () => Promise.reject(new Error("must not start")),
        onEvent: () => {},
        watchdog: 1000,
        recycle: { runs: 1e9, heapBytes: 1e9 },
      }),
    };
    const controller = new AbortController();
    const running = supervisor.run(INPUT, controller.signal);
    await settle();
    controller.abort(new Error("given up"));
    await expect(running).rejects.toThrow("given up");
    const next = supervisor.run(INPUT, never);
    await settle();
    expect(first.calls()).toBe(1);
    first.answer();
    await settle();
    first.answer();
    await next;
    expect(first.calls()).toBe(2);
  });

  test("an engine is replaced when its memory has grown, between two calls", async () => {
    const { engines, supervisor, restarts } = supervised({ recycle: { runs: 100, heapBytes: 1000 } });
    for (const heap of [500, 1500]) {
      const running = supervisor.run(INPUT, never);
      await settle();
      engines.at(-1)!.answer(heap);
      await running;
    }
    expect(restarts()).toEqual(["recycled"]);
  });

  test("a start that fails is not kept: the next call starts again", async () => {
    let starts = 0;
    const good = fakeEngine();
    const first = fakeEngine();
    const supervisor = supervise(first, {
      start: async () => {
        if (++starts === 1) throw failed("download-failed");
        return good;
      },
      onEvent: () => {},
      watchdog: 1000,
      recycle: { runs: 1e9, heapBytes: 1e9 },
    });
    first.die(failed("worker-failed"));
    await settle();
    const running = supervisor.run(INPUT, never);
    await settle();
    good.answer();
    await running;
    expect(starts).toBe(2);
  });

  test("disposing ends the call under way and starts nothing", async () => {
    const { engines, supervisor, restarts } = supervised();
    const running = supervisor.run(INPUT, never);
    running.catch(() => {});
    await settle();
    await supervisor.dispose();
    await expect(running).rejects.toMatchObject({ code: "engine-ended" });
    expect(engines).toHaveLength(1);
    expect(restarts()).toEqual([]);
  });
});
