/** Hands on what lies where another array is positive, zero elsewhere, four floats an instruction. */
import { bump, defineFunction, FOUR, type FunctionSource, i32, loopWhile, mask } from "./assembler.ts";

/** `rectify(dy, y, out, size)`: out[i] = y[i] > 0 ? dy[i] : 0, for a multiple of four. */
export const RECTIFY: FunctionSource = defineFunction("rectify", 4, ([dy, y, out, size]) => [
  loopWhile(size!.get, [
    ...FOUR.store(out!.get, mask.and(FOUR.load(dy!.get, 0), mask.greater(FOUR.load(y!.get, 0), mask.none)), 0),
    ...[dy, y, out].flatMap((pointer) => bump(pointer!, i32.const(FOUR.bytes))),
    ...bump(size!, i32.const(-4)),
  ]),
]);
