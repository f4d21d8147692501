import { expect, test } from "vitest";
import { LEADER, makeBarriers, openBarriers } from "./barriers.ts";

test("each thread comes to the barriers at its own pace", () => {
  const memory = makeBarriers(3);
  const leader = openBarriers(memory, LEADER);
  const [first, second] = [openBarriers(memory, 1), openBarriers(memory, 2)];
  leader.arrive(1);
  // Returns at once.
  first.waitFor(LEADER, 1);
  expect(first.arrive(1)).toBe(false);
  expect([LEADER, 1, 2].map((thread) => leader.hasArrived(thread, 1))).toEqual([true, true, false]);
  second.waitFor(1, 1);
  second.arrive(2);
  // Who has come to a later one has come to this.
  expect(leader.look(2, 1)).toBe(true);
  expect(leader.hasArrived(1, 2)).toBe(false);
});

test("a leader that sleeps is to be sent a message until it is awake", () => {
  const memory = makeBarriers(2, 0);
  const leader = openBarriers(memory, LEADER);
  const worker = openBarriers(memory, 1);
  expect(leader.look(1, 1)).toBe(false);
  leader.sleep();
  expect(worker.arrive(1)).toBe(true);
  leader.awake();
  expect(worker.arrive(2)).toBe(false);
  expect(leader.look(1, 2)).toBe(true);
});

test("looking ends, though nothing happens", () => {
  expect(openBarriers(makeBarriers(2), LEADER).look(1, 1)).toBe(false);
});
