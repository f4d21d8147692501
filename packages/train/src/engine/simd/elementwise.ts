/** Loops over arrays of one length, element by element. */
import { bump, type Code, i32, type Lanes, type Local, loopWhile } from "./assembler.ts";

/** Runs `body` for as many elements as fill the lanes, moving the pointers on and counting `size` down: what is left stays in it. */
export function eachElement(lanes: Lanes, size: Local, pointers: readonly Local[], body: Code): Code {
  return loopWhile(i32.greaterEqual(size.get, i32.const(lanes.bytes / 4)), [
    ...body,
    ...pointers.flatMap((pointer) => bump(pointer, i32.const(lanes.bytes))),
    ...bump(size, i32.const(-lanes.bytes / 4)),
  ]);
}
