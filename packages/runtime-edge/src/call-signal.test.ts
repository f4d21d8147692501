import { expect, test } from "vitest";
import { callSignal } from "./call-signal.ts";

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

test("a call without end is not over at once", async () => {
  for (const timeout of [Number.POSITIVE_INFINITY, 2 ** 40, undefined]) {
    const { signal, release } = callSignal(undefined, timeout);
    await wait(10);
    expect(signal.aborted).toBe(false);
    release();
  }
});

test("the first of signal and time limit counts, with its reason", async () => {
  const controller = new AbortController();
  const limited = callSignal(controller.signal, 1);
  await wait(20);
  expect(limited.signal.reason).toMatchObject({ code: "timeout" });
  const given = callSignal(controller.signal, 10_000);
  controller.abort("enough");
  expect(given.signal.reason).toBe("enough");
  expect(callSignal(controller.signal, undefined).signal.aborted).toBe(true);
  given.release();
});

test("a call that is over hears no more", async () => {
  const controller = new AbortController();
  const { signal, release } = callSignal(controller.signal, 1);
  release();
  controller.abort();
  await wait(20);
  expect(signal.aborted).toBe(false);
});
