import fc from "fast-check";
import { expect, test } from "vitest";
import { MAIN, makeControlMemory, openHelperControl, openMainControl } from "./control.ts";

const PATIENCE = { look: 0, part: 200 };
const NONE = { failed: [], missing: [] };

/** A control and its helpers, all in this thread: only what does not block can be tried. */
function controls(helpers: number) {
  const memory = makeControlMemory();
  const numbers = Array.from({ length: helpers }, (_, i) => i + 1);
  const main = openMainControl(memory, PATIENCE);
  return { main, numbers, others: numbers.map((self) => openHelperControl(memory, PATIENCE, self)) };
}

test("every part is done once, whoever takes it and in whatever order they come", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.record({ parts: fc.integer({ min: 1, max: 40 }), turns: fc.array(fc.nat(4), { maxLength: 60 }) }), {
        minLength: 1,
        maxLength: 4,
      }),
      (helpers, jobs) => {
        const { main, numbers, others } = controls(helpers);
        for (const [task, { parts, turns }] of jobs.entries()) {
          main.open(task, [task, parts], parts, numbers);
          const inside = new Set<number>();
          const done: number[] = [];
          const take = (thread: number): number => {
            if (thread === MAIN) return main.next();
            const helper = others[thread - 1]!;
            if (!inside.has(thread)) expect(helper.enter()).toEqual({ task, told: [task, parts] });
            inside.add(thread);
            return helper.next();
          };
          for (const turn of turns) {
            const part = take(turn % (helpers + 1));
            if (part >= 0) done.push(part);
          }
          for (let part = main.next(); part >= 0; part = main.next()) done.push(part);
          for (const thread of inside) others[thread - 1]!.leave();
          expect(main.close(numbers)).toEqual(NONE);
          expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: parts }, (_, i) => i));
        }
      },
    ),
  );
});

test("threads begin with ranges of their own, and take from the end of another's", () => {
  const { main, numbers, others } = controls(1);
  main.open(0, [], 10, numbers);
  others[0]!.enter();
  expect([main.next(), others[0]!.next(), main.next(), others[0]!.next()]).toEqual([0, 5, 1, 6]);
  expect([main.next(), main.next(), main.next(), main.next()]).toEqual([2, 3, 4, 9]);
  expect([others[0]!.next(), others[0]!.next(), main.next()]).toEqual([7, 8, -1]);
});

test("a helper that does not come out, or failed, is lost; one that never came is not waited for", () => {
  const { main, numbers, others } = controls(3);
  main.open(0, [], 10, numbers);
  others[0]!.enter();
  others[1]!.enter();
  others[1]!.fail();
  expect(main.close(numbers)).toEqual({ failed: [2], missing: [1] });
});

test("a helper that is dismissed enters no job, not even an open one", () => {
  const { main, numbers, others } = controls(1);
  main.dismiss(1);
  expect(others[0]!.enter()).toBeUndefined();
  main.open(0, [], 10, numbers);
  expect(others[0]!.enter()).toBeUndefined();
  expect(main.close(numbers)).toEqual(NONE);
});
