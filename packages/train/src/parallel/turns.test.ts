import { expect, test } from "vitest";
import { leaderTurns, makeTurns, workerTurns } from "./turns.ts";

test("each worker is told and has taken its own turns", () => {
  const turns = makeTurns(3);
  const leader = leaderTurns(turns);
  const [first, second] = [workerTurns(turns, 1), workerTurns(turns, 2)];
  leader.tell(1, 1);
  leader.tell(2, 1);
  // Returns at once.
  first.waitFor(1);
  expect(first.finish(1)).toBe(false);
  expect([1, 2].map((worker) => leader.hasTaken(worker, 1))).toEqual([true, false]);
  second.waitFor(1);
  second.finish(1);
  expect(leader.look(2, 1)).toBe(true);
  leader.tell(1, 2);
  expect(leader.hasTaken(1, 2)).toBe(false);
});

test("a leader that sleeps is to be sent a message until it is awake", () => {
  const turns = makeTurns(2, 0);
  const leader = leaderTurns(turns);
  const worker = workerTurns(turns, 1);
  leader.tell(1, 1);
  expect(leader.look(1, 1)).toBe(false);
  leader.sleep();
  expect(worker.finish(1)).toBe(true);
  leader.awake();
  leader.tell(1, 2);
  expect(worker.finish(2)).toBe(false);
  expect(leader.look(1, 2)).toBe(true);
});

test("looking ends, though nothing happens", () => {
  expect(leaderTurns(makeTurns(2)).look(1, 1)).toBe(false);
});
