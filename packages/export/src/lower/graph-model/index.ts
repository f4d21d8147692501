import { ARITHMETIC } from "./arithmetic.ts";
import { BASIC_MATH } from "./basic-math.ts";
import { BLOCKS } from "./blocks.ts";
import { CONVOLUTION } from "./convolution.ts";
import { CREATION } from "./creation.ts";
import { IMAGE } from "./image.ts";
import { JOINS } from "./joins.ts";
import { LOGICAL } from "./logical.ts";
import { MATRICES } from "./matrices.ts";
import { NORMALIZATION } from "./normalization.ts";
import type { OpTable } from "./op-node.ts";
import { POOLING } from "./pooling.ts";
import { REDUCTION } from "./reduction.ts";
import { REFUSED } from "./refused.ts";
import { SHAPE } from "./shape.ts";
import { SLICES } from "./slices.ts";

/** Every op that the converter writes and tfjs runs, by family: how it becomes nodes, or why it cannot. */
export const OP_LOWERINGS: OpTable = {
  ...ARITHMETIC,
  ...BASIC_MATH,
  ...BLOCKS,
  ...CONVOLUTION,
  ...CREATION,
  ...IMAGE,
  ...JOINS,
  ...LOGICAL,
  ...MATRICES,
  ...NORMALIZATION,
  ...POOLING,
  ...REDUCTION,
  ...REFUSED,
  ...SHAPE,
  ...SLICES,
};
