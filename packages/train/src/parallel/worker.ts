/**
 * A thread of a divided training: this is its main module. It waits for tasks and does its part of each step, until it is ended. It
 * never gets back to its event loop, so nothing in a step may be asynchronous.
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { selectEngine } from "../engine/select.ts";
import { LEADER, openBarriers } from "./barriers.ts";
import { openBoard } from "./board.ts";
import { type DividedSteps, makeDividedSteps, type StepTask } from "./divided-step.ts";
import { readNetwork } from "./network-copy.ts";
import type { WorkerAnswer, WorkerSetup } from "./team.ts";

const { barriers: shared, network, teacher, ...rest } = workerData as WorkerSetup;
const barriers = openBarriers(shared, rest.worker);
const others = Array.from({ length: rest.sizes.workers }, (_, thread) => thread).filter(
  (thread) => thread !== rest.worker,
);
const answer = (message: WorkerAnswer): void => parentPort!.postMessage(message);

async function start(): Promise<DividedSteps> {
  await selectEngine({ engine: "wasm" });
  return makeDividedSteps({
    ...rest,
    board: openBoard(rest.memory, rest.sizes),
    network: await readNetwork(network),
    ...(teacher && { teacher: await readNetwork(teacher) }),
  });
}

try {
  const steps = await start();
  let barrier = 1;
  const meet = (): void => {
    if (barriers.arrive(barrier)) answer({ kind: "arrived", barrier });
    for (const other of others) barriers.waitFor(other, barrier);
    barrier++;
  };
  meet();
  for (;;) {
    // The leader comes here with a task.
    barriers.waitFor(LEADER, barrier++);
    const { message } = receiveMessageOnPort(parentPort!)!;
    for (const _ of steps.take(message as StepTask)) meet();
  }
} catch (error) {
  answer({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
}
