/**
 * Sums of outer products of rows, the matrix product A^T B added to what is there:  out[p, q] += sum over t of  a[t, p] b[t, q]
 *
 * A tile of 4 rows by 8 columns of `out` stays in registers while t runs (Goto and van de Geijn 2008). Every element is
 * summed over t in order, so results do not depend on the tiling.
 */
import {
  bump,
  type Code,
  defineFunction,
  FOUR,
  type FunctionSource,
  i32,
  type Lanes,
  type Local,
  loopWhile,
  ONE,
  strided,
} from "./assembler.ts";

/** `outerSums(a, aRow, aColumns, b, bRow, bColumns, out, rows)`: addresses and strides in bytes, sizes in elements. */
export const OUTER_SUMS: FunctionSource = defineFunction("outerSums", 8, (parameters, local) => {
  const [a, aRow, aColumns, b, bRow, bColumns, out, rows] = parameters as readonly Local[] & Record<number, Local>;
  const [left, right, target, outRow, rest, t] = Array.from({ length: 6 }, () => local("i32"));
  const [aAt, bAt] = [local("i32"), local("i32")];
  const cellsOf = {
    v128: Array.from({ length: 8 }, () => local("v128")),
    f32: Array.from({ length: 4 }, () => local("f32")),
  };
  const panelOf = { v128: [local("v128"), local("v128")], f32: [local("f32")] };
  const factorOf = { v128: local("v128"), f32: local("f32") };
  /** Address of the tile's row p: `target` plus p times the row of `out`. */
  const rowOfTile = (p: number): Code => strided(target!.get, outRow!.get, p);

  const tile = (lanes: Lanes, height: number, width: number): Code => {
    const cells = cellsOf[lanes.type].slice(0, height * width);
    const panel = panelOf[lanes.type].slice(0, width);
    const factor = factorOf[lanes.type];
    const eachCell = (visit: (cell: Local, p: number, q: number) => Code): Code =>
      cells.flatMap((cell, index) => visit(cell, Math.floor(index / width), index % width));
    return [
      ...eachCell((cell, p, q) => cell.set(lanes.load(rowOfTile(p), q * lanes.bytes))),
      ...aAt.set(left!.get),
      ...bAt.set(right!.get),
      ...t!.set(rows!.get),
      ...loopWhile(t!.get, [
        ...panel.flatMap((column, q) => column.set(lanes.load(bAt.get, q * lanes.bytes))),
        ...eachCell((cell, p, q) => [
          ...(q === 0 ? factor.set(lanes.broadcast(aAt.get, p * 4)) : []),
          ...cell.set(lanes.add(cell.get, lanes.mul(factor.get, panel[q]!.get))),
        ]),
        ...bump(aAt, aRow!.get),
        ...bump(bAt, bRow!.get),
        ...bump(t!, i32.const(-1)),
      ]),
      ...eachCell((cell, p, q) => lanes.store(rowOfTile(p), cell.get, q * lanes.bytes)),
    ];
  };

  const band = (height: number): Code => {
    const stretch = (lanes: Lanes, width: number): Code => {
      const size = width * (lanes.bytes / 4);
      return loopWhile(i32.greaterEqual(rest!.get, i32.const(size)), [
        ...tile(lanes, height, width),
        ...bump(right!, i32.const(size * 4)),
        ...bump(target!, i32.const(size * 4)),
        ...bump(rest!, i32.const(-size)),
      ]);
    };
    return [
      ...right!.set(b!.get),
      ...target!.set(out!.get),
      ...rest!.set(bColumns!.get),
      ...stretch(FOUR, 2),
      ...stretch(FOUR, 1),
      ...stretch(ONE, 1),
      ...bump(left!, i32.const(height * 4)),
      ...Array.from({ length: height }, () => bump(out!, outRow!.get)).flat(),
      ...bump(aColumns!, i32.const(-height)),
    ];
  };

  return [
    left!.set(a!.get),
    outRow!.set(i32.shiftLeft(bColumns!.get, i32.const(2))),
    loopWhile(i32.greaterEqual(aColumns!.get, i32.const(4)), band(4)),
    loopWhile(aColumns!.get, band(1)),
  ];
});
