/**
 * Inner products of rows, the matrix product A B^T:  out[p, q] = sum over k of  a[p, k] b[q, k]
 *
 * Both operands are read as they lie, four k an instruction; a tile of 4 by 2 results stays in registers while k runs (Goto and
 * van de Geijn 2008). Every sum has four parts, k modulo 4, then its rest, in one order whatever the tiling.
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
  mask,
  ONE,
  strided,
  sumOfLanes,
} from "./assembler.ts";
import { addProducts, eachCell } from "./tile.ts";

/** `innerProducts(a, aRows, b, bRows, out, columns)`: all three are dense. */
export const innerProducts = (four: Lanes): FunctionSource =>
  defineFunction("innerProducts", 6, (parameters, local) => {
    const [a, aRows, b, bRows, out, columns] = parameters as readonly Local[] & Record<number, Local>;
    const [row, outRow, right, target, rest, k] = Array.from({ length: 6 }, () => local("i32"));
    const pointersOfA = Array.from({ length: 4 }, () => local("i32"));
    const pointersOfB = Array.from({ length: 2 }, () => local("i32"));
    const parts = Array.from({ length: 8 }, () => local("v128"));
    const sums = Array.from({ length: 8 }, () => local("f32"));
    const factorOf = { v128: local("v128"), f32: local("f32") };
    const panelOf = { v128: [local("v128"), local("v128")], f32: [local("f32"), local("f32")] };

    const tile = (height: number, width: number): Code => {
      const [left, panel] = [pointersOfA.slice(0, height), pointersOfB.slice(0, width)];
      const [vectors, floats] = [parts.slice(0, height * width), sums.slice(0, height * width)];
      const step = (lanes: Lanes, totals: readonly Local[]): Code => {
        const values = panelOf[lanes.type].slice(0, width);
        return [
          ...values.flatMap((value, q) => value.set(lanes.load(panel[q]!.get, 0))),
          ...addProducts(lanes, totals, values, factorOf[lanes.type], (p) => lanes.load(left[p]!.get, 0)),
          ...[...left, ...panel].flatMap((pointer) => bump(pointer, i32.const(lanes.bytes))),
          ...bump(k!, i32.const(-lanes.bytes / 4)),
        ];
      };
      return [
        ...left.flatMap((pointer, p) => pointer.set(strided(a!.get, row!.get, p))),
        ...panel.flatMap((pointer, q) => pointer.set(strided(right!.get, row!.get, q))),
        ...vectors.flatMap((vector) => vector.set(mask.none)),
        ...k!.set(columns!.get),
        ...loopWhile(i32.greaterEqual(k!.get, i32.const(4)), step(four, vectors)),
        ...floats.flatMap((sum, cell) => sum.set(sumOfLanes(vectors[cell]!))),
        ...loopWhile(k!.get, step(ONE, floats)),
        ...eachCell(floats, width, (sum, p, q) => ONE.store(strided(target!.get, outRow!.get, p), sum.get, q * 4)),
      ];
    };

    const band = (height: number): Code => {
      const stretch = (width: number): Code =>
        loopWhile(i32.greaterEqual(rest!.get, i32.const(width)), [
          ...tile(height, width),
          ...bump(right!, strided(i32.const(0), row!.get, width)),
          ...bump(target!, i32.const(width * 4)),
          ...bump(rest!, i32.const(-width)),
        ]);
      return [
        ...right!.set(b!.get),
        ...target!.set(out!.get),
        ...rest!.set(bRows!.get),
        ...stretch(2),
        ...stretch(1),
        ...bump(a!, strided(i32.const(0), row!.get, height)),
        ...bump(out!, strided(i32.const(0), outRow!.get, height)),
        ...bump(aRows!, i32.const(-height)),
      ];
    };

    return [
      row!.set(i32.shiftLeft(columns!.get, i32.const(2))),
      outRow!.set(i32.shiftLeft(bRows!.get, i32.const(2))),
      loopWhile(i32.greaterEqual(aRows!.get, i32.const(4)), band(4)),
      loopWhile(aRows!.get, band(1)),
    ];
  });
