/** A tile of results in registers, which the loops over matrices and images have in common. */
import type { Code, Lanes, Local } from "./assembler.ts";

/** Visits the cells of a tile of so many vectors a row, row by row. */
export function eachCell(
  cells: readonly Local[],
  width: number,
  visit: (cell: Local, p: number, q: number) => Code,
): Code {
  return cells.flatMap((cell, index) => visit(cell, Math.floor(index / width), index % width));
}

/** cell[p, q] += factor(p) panel[q]; `load` gives a row's factor, which `factor` holds while it is used. */
export function addProducts(
  lanes: Lanes,
  cells: readonly Local[],
  panel: readonly Local[],
  factor: Local,
  load: (p: number) => Code,
): Code {
  return eachCell(cells, panel.length, (cell, p, q) => [
    ...(q === 0 ? factor.set(load(p)) : []),
    ...cell.set(lanes.multiplyAdd(factor.get, panel[q]!.get, cell.get)),
  ]);
}
