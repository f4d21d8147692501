/** A matrix turned. */
import { bump, defineFunction, type FunctionSource, i32, loopWhile, ONE } from "./assembler.ts";

/** `transpose(x, out, rows, columns)`: out[c, r] = x[r, c]; both are dense. */
export const TRANSPOSE: FunctionSource = defineFunction("transpose", 4, ([x, out, rows, columns], local) => {
  const [at, rest, rowBytes, column] = [local("i32"), local("i32"), local("i32"), local("i32")];
  return [
    rowBytes.set(i32.shiftLeft(columns!.get, i32.const(2))),
    column.set(columns!.get),
    loopWhile(column.get, [
      ...at.set(x!.get),
      ...rest.set(rows!.get),
      ...loopWhile(rest.get, [
        ...ONE.store(out!.get, ONE.load(at.get, 0), 0),
        ...bump(out!, i32.const(4)),
        ...bump(at, rowBytes.get),
        ...bump(rest, i32.const(-1)),
      ]),
      ...bump(x!, i32.const(4)),
      ...bump(column, i32.const(-1)),
    ]),
  ];
});
