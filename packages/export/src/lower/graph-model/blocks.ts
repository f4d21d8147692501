/**
 * Blocks of an image as images of their own, and back: how older models dilate a convolution.
 *
 *   [n, h, w, c] -> [n, h / bh, bh, w / bw, bw, c] -> [bh, bw, n, h / bh, w / bw, c] -> [bh bw n, h / bh, w / bw, c]
 */
import type { Dim } from "../../graph.ts";
import { product, quotient } from "../../infer/rule.ts";
import { padded } from "./joins.ts";
import { plain, plainly, reshaped, settled, transposed } from "./layout.ts";
import { numbersIn, type OpLowering, type OpNode, type OpTable, unsupportedOp } from "./op-node.ts";
import { END, sliced } from "./slices.ts";

const spaceToBatch: OpLowering = (node, [x, blockInput, paddings], build) => {
  const blocks = numbersIn(node, blockInput, "block shape", build);
  const margins = numbersIn(node, paddings, "paddings", build);
  const rank = x!.order.length;
  const rest = rank - 1 - blocks.length;
  const pairs = [0, 0, ...margins, ...new Array<number>(2 * rest).fill(0)];
  const edge = plain(padded(`${node.name}/padded`, settled(x!, build), pairs, 0, build), build);
  const shape = build.edgeShape(edge);
  const [batch, ...others] = shape as [Dim, ...Dim[]];
  const parts = blocks.map((block, i) => part(node, others[i]!, block));
  const tail = others.slice(blocks.length);
  const split = [batch, ...parts.flatMap((size, i) => [size, blocks[i]!]), ...tail];
  const apart = plainly(reshaped(edge, split, build), build);
  const axes = [...blocks.map((_, i) => 2 * i + 2), 0, ...blocks.map((_, i) => 2 * i + 1), ...last(split.length, rest)];
  const turned = plain(transposed(apart, axes, build), build);
  return plainly(reshaped(turned, [product([batch, ...blocks]), ...parts, ...tail], build, node.name), build);
};

const batchToSpace: OpLowering = (node, [x, blockInput, crops], build) => {
  const blocks = numbersIn(node, blockInput, "block shape", build);
  const cut = numbersIn(node, crops, "crops", build);
  const edge = plain(x!, build);
  const [many, ...others] = build.edgeShape(edge) as [Dim, ...Dim[]];
  const batch = part(node, many, product(blocks) as number);
  const sizes = others.slice(0, blocks.length);
  const tail = others.slice(blocks.length);
  const split = [...blocks, batch, ...sizes, ...tail];
  const apart = plainly(reshaped(edge, split, build), build);
  const count = blocks.length;
  const axes = [count, ...blocks.flatMap((_, i) => [count + 1 + i, i]), ...last(split.length, tail.length)];
  const turned = plain(transposed(apart, axes, build), build);
  const whole = sizes.map((size, i) => product([size, blocks[i]!]));
  const joined = plainly(reshaped(turned, [batch, ...whole, ...tail], build), build);
  const ranges = whole.map((size, i) => ({
    axis: i + 1,
    start: cut[2 * i]!,
    end: cut[2 * i + 1] === 0 ? END : fixed(node, size) - cut[2 * i + 1]!,
    step: 1,
  }));
  return sliced(joined, ranges, node.name, build);
};

/** The last axes of a rank. */
function last(rank: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => rank - count + i);
}

function part(node: OpNode, size: Dim, block: number): Dim {
  const found = quotient([size], [block]);
  if (found !== undefined) return found;
  throw unsupportedOp(
    node,
    `${size} is no multiple of its block ${block}`,
    "Convert the model with fixed input shapes.",
  );
}

function fixed(node: OpNode, size: Dim): number {
  if (typeof size === "number") return size;
  throw unsupportedOp(node, `it cuts from the open size ${size}`, "Convert the model with fixed input shapes.");
}

/** Images in blocks. */
export const BLOCKS: OpTable = {
  BatchToSpaceND: batchToSpace,
  SpaceToBatchND: spaceToBatch,
};
