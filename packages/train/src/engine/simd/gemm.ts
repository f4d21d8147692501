/**
 * Matrix product, added to what is there:  C[r, q] += sum over t of  A[r, t] B[t, q]
 *
 * A has a stride for each of its two indices, so the one loop serves A B, A^T B and rows of images as they lie; B and C are
 * contiguous along q. A tile of 4 rows by 8 columns of C stays in registers while t runs, as in Goto and van de Geijn 2008.
 * Sums run over t in order: results do not depend on the tiling.
 */
import {
  type Code,
  defineFunction,
  FOUR,
  type FunctionSource,
  i32,
  type Lanes,
  type Local,
  loopWhile,
  ONE,
} from "./assembler.ts";

const PARAMETERS = ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"] as const;

/** `gemm(a, aRow, aDepth, b, bDepth, c, cRow, rows, columns, depth)`: addresses and strides in bytes, sizes in elements. */
export const GEMM: FunctionSource = defineFunction("gemm", PARAMETERS, (parameters, local) => {
  const [a, aRow, aDepth, b, bDepth, c, cRow, rows, columns, depth] = parameters as Local[] & { length: 10 };
  const [row, rest, left, tileB, tileC, t, bAt] = Array.from({ length: 7 }, () => local("i32")) as Local[];
  const aAt = Array.from({ length: 4 }, () => local("i32"));
  const sums = {
    v128: Array.from({ length: 8 }, () => local("v128")),
    f32: Array.from({ length: 4 }, () => local("f32")),
  };
  const panel = { v128: [local("v128"), local("v128")], f32: [local("f32")] };
  const factor = { v128: local("v128"), f32: local("f32") };

  /** One tile of C: `height` rows, `width` groups of lanes. */
  const tile = (lanes: Lanes, height: number, width: number): Code[] => {
    const cells = Array.from({ length: height * width }, (_cell, index) => ({
      sum: sums[lanes.type][index]!,
      r: Math.floor(index / width),
      offset: (index % width) * lanes.bytes,
    }));
    const cAt = (r: number): Code => (r === 0 ? tileC!.get : i32.add(tileC!.get, i32.mul(cRow!.get, i32.const(r))));
    const columnsOfB = panel[lanes.type].slice(0, width);
    return [
      ...cells.map(({ sum, r, offset }) => sum.set(lanes.load(cAt(r), offset))),
      bAt!.set(tileB!.get),
      ...aAt.slice(0, height).map((at, r) => at.set(i32.add(left!.get, i32.mul(aRow!.get, i32.const(r))))),
      t!.set(depth!.get),
      loopWhile(t!.get, [
        ...columnsOfB.flatMap((column, index) => column.set(lanes.load(bAt!.get, index * lanes.bytes))),
        ...aAt
          .slice(0, height)
          .flatMap((at, r) => [
            ...factor[lanes.type].set(lanes.broadcast(at.get)),
            ...cells
              .slice(r * width, (r + 1) * width)
              .flatMap(({ sum }, index) =>
                sum.set(lanes.add(sum.get, lanes.mul(factor[lanes.type].get, columnsOfB[index]!.get))),
              ),
            ...at.bump(aDepth!.get),
          ]),
        ...bAt!.bump(bDepth!.get),
        ...t!.bump(i32.const(-1)),
      ]),
      ...cells.map(({ sum, r, offset }) => lanes.store(cAt(r), sum.get, offset)),
    ];
  };

  /** All columns of a band of `height` rows. */
  const band = (height: number): Code[] => {
    const stretch = (lanes: Lanes, width: number): Code => {
      const size = width * (lanes.bytes / 4);
      return loopWhile(i32.greaterEqual(rest!.get, i32.const(size)), [
        ...tile(lanes, height, width).flat(),
        ...tileB!.bump(i32.const(size * 4)),
        ...tileC!.bump(i32.const(size * 4)),
        ...rest!.bump(i32.const(-size)),
      ]);
    };
    return [
      tileB!.set(b!.get),
      tileC!.set(c!.get),
      rest!.set(columns!.get),
      stretch(FOUR, 2),
      stretch(FOUR, 1),
      stretch(ONE, 1),
      left!.bump(i32.mul(aRow!.get, i32.const(height))),
      c!.bump(i32.mul(cRow!.get, i32.const(height))),
      row!.bump(i32.const(-height)),
    ];
  };

  return [
    left!.set(a!.get),
    row!.set(rows!.get),
    loopWhile(i32.greaterEqual(row!.get, i32.const(4)), band(4).flat()),
    loopWhile(row!.get, band(1).flat()),
  ];
});
