/** One worker's part of a divided step, the same in every thread. */
import { stateAfter } from "./board.ts";
import { writeWeights } from "./flat-weights.ts";
import { type Learner, type LearnerParts, makeLearner, type ShareTask } from "./learn-share.ts";
import { makeRangeUpdate, type RangeUpdateParts, type UpdateTask } from "./range-update.ts";

/** What all threads are told of a step. */
export interface StepTask extends ShareTask, UpdateTask {
  /** Somebody else has written the weights since the last step: the state that this one starts from is to be read again. */
  readonly rewritten?: true;
}

/** A worker's steps. */
export interface DividedSteps extends Pick<Learner, "stats" | "dispose"> {
  /** Does its part of a step; where it yields, it may go on when all have come there. */
  take(task: StepTask): Generator<void, void, void>;
}

/** Makes a worker's steps. Its network has the weights of the state that a step leaves; nothing of what happens before its end counts. */
export function makeDividedSteps(parts: LearnerParts & RangeUpdateParts): DividedSteps {
  const { board, clipNorm, network } = parts;
  const { weights } = network.model;
  const learner = makeLearner(parts);
  const range = makeRangeUpdate(parts);
  return {
    *take(task) {
      if (task.rewritten) writeWeights(weights, board.states[task.from].weights);
      learner.learn(board, task);
      // All findings are there.
      yield;
      range.average(task);
      if (clipNorm !== undefined) yield;
      range.update(task);
      // The next state is there.
      yield;
      writeWeights(weights, board.states[stateAfter(task.from)].weights);
    },
    stats: learner.stats,
    dispose: learner.dispose,
  };
}
