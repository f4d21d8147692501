import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createQueue } from "./queue.ts";

const never = new AbortController().signal;

/** A task that ends when told to. */
function manualTask(): { run: () => Promise<number>; end: (value: number) => void; fail: (error: Error) => void } {
  let end!: (value: number) => void;
  let fail!: (error: Error) => void;
  const promise = new Promise<number>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  return { run: () => promise, end, fail };
}

/** Lets everything that can happen now happen. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Step =
  | { readonly kind: "push" }
  | { readonly kind: "end" | "fail" }
  | { readonly kind: "abort"; readonly which: number };

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<Step>({ kind: "push" }) },
    { weight: 2, arbitrary: fc.constantFrom<Step>({ kind: "end" }, { kind: "fail" }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("abort" as const), which: fc.nat(20) }) },
  ),
  { maxLength: 40 },
);

describe("queue", () => {
  test.each(["fifo", "latest"] as const)(
    "%s: whatever is pushed, ended, failed and aborted, one runs at a time and each settles once, as the policy says",
    async (policy) => {
      await fc.assert(
        fc.asyncProperty(steps, fc.integer({ min: 1, max: 4 }), async (script, depth) => {
          const queue = createQueue({ policy, depth });
          const outcomes: string[] = [];
          const started: number[] = [];
          const controllers: AbortController[] = [];
          let underWay: { id: number; end: (value: number) => void; fail: (error: Error) => void } | undefined;
          /** What the policy says, told in the plainest way. */
          let waiting: number[] = [];
          const expected: string[] = [];

          for (const step of script) {
            if (step.kind === "push") {
              const id = outcomes.length;
              outcomes.push("pending");
              const controller = new AbortController();
              controllers.push(controller);
              const task = manualTask();
              const run = (): Promise<number> => {
                expect(underWay).toBeUndefined();
                started.push(id);
                underWay = { id, end: task.end, fail: task.fail };
                return task.run();
              };
              if (policy === "latest") {
                for (const other of waiting) expected[other] = "superseded";
                waiting = [];
              }
              expected[id] = "pending";
              if (waiting.length >= depth && underWay) expected[id] = "queue-full";
              else if (underWay) waiting.push(id);
              queue.push(run, controller.signal).then(
                (value) => {
                  outcomes[id] = `ended ${value}`;
                },
                (error: Error & { code?: string }) => {
                  outcomes[id] = error.code && typeof error.code === "string" ? error.code : error.message;
                },
              );
            } else if (step.kind === "abort") {
              const controller = controllers[step.which];
              if (!controller || controller.signal.aborted) continue;
              controller.abort(new Error("given up"));
              if (waiting.includes(step.which)) {
                expected[step.which] = "given up";
                waiting = waiting.filter((id) => id !== step.which);
              }
            } else if (underWay) {
              const { id, end, fail } = underWay;
              underWay = undefined;
              expected[id] = step.kind === "end" ? `ended ${id}` : "failed";
              if (step.kind === "end") end(id);
              else fail(new Error("failed"));
              waiting.shift();
            }
            await settle();
            expect(outcomes).toEqual(expected);
            expect(queue.waiting).toBe(waiting.length);
          }
          expect(started).toEqual([...started].sort((a, b) => a - b));
        }),
        { numRuns: 150 },
      );
    },
  );

  test("what is refused by a clear leaves the call under way alone", async () => {
    const queue = createQueue({ policy: "fifo", depth: 8 });
    const task = manualTask();
    const first = queue.push(task.run, never);
    const second = queue.push(async () => 2, never);
    queue.clear(new Error("disposed"));
    await expect(second).rejects.toThrow("disposed");
    task.end(1);
    expect(await first).toBe(1);
    expect(await queue.push(async () => 3, never)).toBe(3);
  });

  test("a call whose signal is aborted already never waits", async () => {
    const queue = createQueue({ policy: "fifo", depth: 8 });
    await expect(queue.push(async () => 1, AbortSignal.abort(new Error("too late")))).rejects.toThrow("too late");
    expect(queue.waiting).toBe(0);
  });
});
