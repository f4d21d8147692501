/**
 * A thread of a divided training: this is its main module. It waits for tasks and does its share of each, until it is ended. It never
 * gets back to its event loop, so nothing in a share may be asynchronous.
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { dispose } from "@tensorflow/tfjs-core";
import { selectEngine } from "../engine/select.ts";
import { openBoard } from "./board.ts";
import { readTensors, writeWeights } from "./flat-weights.ts";
import { makeLearner, type ShareTask } from "./learn-share.ts";
import { readNetwork } from "./network-copy.ts";
import type { WorkerAnswer, WorkerSetup } from "./team.ts";
import { workerTurns } from "./turns.ts";

const { memory, sizes, turns: shared, network, teacher, ...rest } = workerData as WorkerSetup;
const turns = workerTurns(shared, rest.worker);
const answer = (message: WorkerAnswer): void => parentPort!.postMessage(message);

/** Makes what takes a turn. */
async function start(): Promise<(task: ShareTask) => void> {
  await selectEngine({ engine: "wasm" });
  const board = openBoard(memory, sizes);
  const { model, names } = await readNetwork(network);
  const learner = makeLearner({
    ...rest,
    network: { model, names },
    ...(teacher && { teacher: await readNetwork(teacher) }),
  });
  return (task) => {
    writeWeights(model.weights, board.weights);
    const gradients = learner.learn(board, task);
    readTensors(gradients, board.findings[rest.worker]!);
    dispose([...gradients]);
  };
}

try {
  const take = await start();
  for (let turn = 1; ; turn++) {
    // The first turn is to start.
    if (turn > 1) take(receiveMessageOnPort(parentPort!)!.message as ShareTask);
    if (turns.finish(turn)) answer({ kind: "taken", turn });
    turns.waitFor(turn + 1);
  }
} catch (error) {
  answer({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
}
