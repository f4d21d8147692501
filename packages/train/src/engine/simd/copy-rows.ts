import { bump, clearBytes, copyBytes, defineFunction, type FunctionSource, i32, loopWhile } from "./assembler.ts";

/** `copyRows(from, fromRow, to, toRow, bytes, rows)`: copies rows of `bytes`, which lie `fromRow` and `toRow` bytes apart. */
export const COPY_ROWS: FunctionSource = defineFunction("copyRows", 6, ([from, fromRow, to, toRow, bytes, rows]) => [
  loopWhile(rows!.get, [
    ...copyBytes(to!.get, from!.get, bytes!.get),
    ...bump(from!, fromRow!.get),
    ...bump(to!, toRow!.get),
    ...bump(rows!, i32.const(-1)),
  ]),
]);

/** `clear(to, bytes)`: makes bytes zero. */
export const CLEAR: FunctionSource = defineFunction("clear", 2, ([to, bytes]) => [clearBytes(to!.get, bytes!.get)]);
