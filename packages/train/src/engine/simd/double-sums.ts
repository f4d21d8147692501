/** Sums down the columns of a matrix of floats in double precision, two columns an instruction, row by row. */
import { bump, type Code, defineFunction, type FunctionSource, i32, loopWhile, TWO_DOUBLES } from "./assembler.ts";

/** `doubleSums(x, out, rows, columns)`: out[c] = sum of x[r, c]; rows are dense, `out` is of doubles. */
export const DOUBLE_SUMS: FunctionSource = defineFunction("doubleSums", 4, (parameters, local) => {
  const [x, out, rows, columns] = parameters;
  const [at, row, rowBytes] = [local("i32"), local("i32"), local("i32")];
  const sum = local("v128");
  const stretch = (width: 1 | 2): Code => {
    const [load, store] =
      width === 2 ? [TWO_DOUBLES.ofFloats, TWO_DOUBLES.store] : [TWO_DOUBLES.ofFloat, TWO_DOUBLES.storeOne];
    return loopWhile(i32.greaterEqual(columns!.get, i32.const(width)), [
      ...sum.set(TWO_DOUBLES.zero),
      ...at.set(x!.get),
      ...row.set(rows!.get),
      ...loopWhile(row.get, [
        ...sum.set(TWO_DOUBLES.add(sum.get, load(at.get))),
        ...bump(at, rowBytes.get),
        ...bump(row, i32.const(-1)),
      ]),
      ...store(out!.get, sum.get),
      ...bump(x!, i32.const(width * 4)),
      ...bump(out!, i32.const(width * 8)),
      ...bump(columns!, i32.const(-width)),
    ]);
  };
  return [rowBytes.set(i32.shiftLeft(columns!.get, i32.const(2))), stretch(2), stretch(1)];
});
