/** A thread of a divided training: this is its main module. It waits for tasks and does its share of each. */
import { parentPort, workerData } from "node:worker_threads";
import { selectEngine } from "../engine/select.ts";
import { openBoard } from "./board.ts";
import { writeWeights } from "./flat-weights.ts";
import { makeLearner, type ShareTask } from "./learn-share.ts";
import { readNetwork } from "./network-copy.ts";
import type { WorkerAnswer, WorkerSetup } from "./team.ts";

const { memory, sizes, network, teacher, ...rest } = workerData as WorkerSetup;
const answer = (message: WorkerAnswer): void => parentPort!.postMessage(message);

async function answerTo(work: () => unknown): Promise<void> {
  try {
    await work();
    answer({ kind: "done" });
  } catch (error) {
    answer({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  }
}

async function start(): Promise<void> {
  await selectEngine({ engine: "wasm" });
  const board = openBoard(memory, sizes);
  const { model, names } = await readNetwork(network);
  const learner = makeLearner({
    ...rest,
    network: { model, names },
    ...(teacher && { teacher: await readNetwork(teacher) }),
  });
  parentPort!.on("message", (task: ShareTask) =>
    answerTo(() => {
      writeWeights(model.weights, board.weights);
      learner.learn(board, task);
    }),
  );
}

await answerTo(start);
