/**
 * Sums of outer products of rows, the matrix product A^T B added to what is there:  out[p, q] += sum over t of  a[t, p] b[t, q]
 *
 * Rows of `a` lie in lines, as those of an image's pixels do within a frame; those of `b` follow one another. A tile of 4 rows by
 * 8 columns of `out` stays in registers while t runs (Goto and van de Geijn 2008). Every element is summed over t in order, so
 * results do not depend on how many lines a call is given.
 */
import {
  bump,
  type Code,
  defineFunction,
  type FunctionSource,
  i32,
  type Lanes,
  type Local,
  loopWhile,
  ONE,
  strided,
} from "./assembler.ts";
import { addProducts, eachCell } from "./tile.ts";

/**
 * `outerSums(a, aRow, aLine, aColumns, b, bRow, bColumns, out, rows, lines)`: addresses and strides in bytes, sizes in elements; `rows`
 * are those of a line.
 */
export const outerSums = (four: Lanes): FunctionSource =>
  defineFunction("outerSums", 10, (parameters, local) => {
    const [a, aRow, aLine, aColumns, b, bRow, bColumns, out, rows, lines] = parameters as readonly Local[] &
      Record<number, Local>;
    const [left, right, target, outRow, rest, line, lineAt, t] = Array.from({ length: 8 }, () => local("i32"));
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
      return [
        ...eachCell(cells, width, (cell, p, q) => cell.set(lanes.load(rowOfTile(p), q * lanes.bytes))),
        ...lineAt!.set(left!.get),
        ...bAt.set(right!.get),
        ...line!.set(lines!.get),
        ...loopWhile(line!.get, [
          ...aAt.set(lineAt!.get),
          ...t!.set(rows!.get),
          ...loopWhile(t!.get, [
            ...panel.flatMap((column, q) => column.set(lanes.load(bAt.get, q * lanes.bytes))),
            ...addProducts(lanes, cells, panel, factor, (p) => lanes.broadcast(aAt.get, p * 4)),
            ...bump(aAt, aRow!.get),
            ...bump(bAt, bRow!.get),
            ...bump(t!, i32.const(-1)),
          ]),
          ...bump(lineAt!, aLine!.get),
          ...bump(line!, i32.const(-1)),
        ]),
        ...eachCell(cells, width, (cell, p, q) => lanes.store(rowOfTile(p), cell.get, q * lanes.bytes)),
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
        ...stretch(four, 2),
        ...stretch(four, 1),
        ...stretch(ONE, 1),
        ...bump(left!, i32.const(height * 4)),
        ...Array.from({ length: height }, () => bump(out!, outRow!.get)).flat(),
        ...bump(aColumns!, i32.const(-height)),
      ];
    };

    return [
      left!.set(a!.get),
      outRow!.set(i32.shiftLeft(bColumns!.get, i32.const(2))),
      // The three that a window of three pixels of one channel has are a band, too.
      ...[4, 3, 1].map((height) => loopWhile(i32.greaterEqual(aColumns!.get, i32.const(height)), band(height))),
    ];
  });
