import { expect, test } from "vitest";
import { createSharedWork } from "./shared-work.ts";

const never = new AbortController().signal;

/** Work that ends when told, and tells when it was given up. */
function manual() {
  let starts = 0;
  let given: AbortSignal | undefined;
  let end!: (value: number) => void;
  let fail!: (error: Error) => void;
  const start = (signal: AbortSignal): Promise<number> => {
    starts++;
    given = signal;
    return new Promise((resolve, reject) => {
      end = resolve;
      fail = reject;
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  };
  return {
    start,
    starts: () => starts,
    ended: () => given?.aborted,
    end: (value: number) => end(value),
    fail: (error: Error) => fail(error),
  };
}

test("what two want is done once, and anew when it is wanted again", async () => {
  const work = manual();
  const shared = createSharedWork<number>();
  const both = [shared.join("a", work.start, never), shared.join("a", work.start, never)];
  work.end(7);
  expect(await Promise.all(both)).toEqual([7, 7]);
  const again = shared.join("a", work.start, never);
  expect(work.starts()).toBe(2);
  work.end(8);
  expect(await again).toBe(8);
});

test("one who gives up leaves the other's work alone; the last one ends it", async () => {
  const work = manual();
  const shared = createSharedWork<number>();
  const [one, two] = [new AbortController(), new AbortController()];
  const first = shared.join("a", work.start, one.signal);
  const second = shared.join("a", work.start, two.signal);
  one.abort(new Error("first gave up"));
  await expect(first).rejects.toThrow("first gave up");
  expect(work.ended()).toBe(false);
  two.abort(new Error("second gave up"));
  await expect(second).rejects.toThrow("second gave up");
  expect(work.ended()).toBe(true);
});

test("work that was given up by all is not joined any more", async () => {
  const work = manual();
  const shared = createSharedWork<number>();
  const controller = new AbortController();
  const first = shared.join("a", work.start, controller.signal);
  controller.abort(new Error("gave up"));
  await expect(first).rejects.toThrow("gave up");
  const next = shared.join("a", work.start, never);
  expect(work.starts()).toBe(2);
  work.end(9);
  expect(await next).toBe(9);
});

test("a failure is everybody's who waited, and nobody's after that", async () => {
  const work = manual();
  const shared = createSharedWork<number>();
  const both = [shared.join("a", work.start, never), shared.join("a", work.start, never)];
  work.fail(new Error("broken"));
  for (const each of both) await expect(each).rejects.toThrow("broken");
  const next = shared.join("a", work.start, never);
  work.end(1);
  expect(await next).toBe(1);
});
