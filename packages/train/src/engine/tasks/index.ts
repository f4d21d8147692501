/** All tasks. They are told numbers alone and nothing of tfjs, so that a thread that helps starts in no time. */
import { convolveImages, convolvePixels } from "./convolve.ts";
import { adamUpdate, add, floor, momentumUpdate, rectify, sumRows } from "./elements.ts";
import { channelFilterGradients, filterGradients } from "./filter-gradients.ts";
import { lookUpImages, placeImages, repeatRows } from "./images.ts";
import { innerProducts, outerSums } from "./matrices.ts";
import { poolGradients, poolImages } from "./pooling.ts";
import { affineOne, affineTwo, gradientBlocks, squareBlocks, sumBlocks } from "./row-blocks.ts";
import type { Task, Told } from "./task.ts";

/** By name. */
export const TASKS = {
  adamUpdate,
  add,
  affineOne,
  affineTwo,
  channelFilterGradients,
  convolveImages,
  convolvePixels,
  filterGradients,
  floor,
  gradientBlocks,
  innerProducts,
  lookUpImages,
  momentumUpdate,
  outerSums,
  placeImages,
  poolGradients,
  poolImages,
  rectify,
  repeatRows,
  squareBlocks,
  sumBlocks,
  sumRows,
} as const;

/** The name of a task. */
export type TaskName = keyof typeof TASKS;
/** What a task is told. */
export type ToldTo<Name extends TaskName> = Told<(typeof TASKS)[Name]["fields"][number]>;

const NAMES = Object.keys(TASKS) as readonly TaskName[];

/** By which threads name a task. */
export function taskNumber(name: TaskName): number {
  return NAMES.indexOf(name);
}

/** The task of a number. */
export function taskAt(number: number): Task<string> {
  return TASKS[NAMES[number]!] as Task<string>;
}
