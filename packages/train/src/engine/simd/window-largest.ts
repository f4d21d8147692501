/** The largest input of each window of a row of windows, four channels an instruction. */
import { BITS, bump, defineFunction, FOUR, type FunctionSource, i32, type Local, loopWhile } from "./assembler.ts";
import { type WindowSize, walkWindow } from "./window.ts";

/**
 * `name(x, out, row, pixel, step, windows, channels, height, width)`: addresses and strides in bytes; windows lie `step` apart, their results
 * one behind another. Channels are a multiple of four. What is no number is never the largest, and a window without any place gives
 * minus infinity. The last two are left out where `size` says them.
 */
export function windowLargest(name: string, size?: WindowSize): FunctionSource {
  return defineFunction(name, size ? 7 : 9, (parameters, local) => {
    const [x, out, row, pixel, step, windows, channels, height, width] = parameters as readonly Local[] &
      Record<number, Local>;
    const [xAt, rest] = [local("i32"), local("i32")];
    const largest = local("v128");
    const { start, everyPlace } = walkWindow({ row: row!, pixel: pixel!, height, width }, size, local);
    return [
      start,
      loopWhile(windows!.get, [
        ...xAt.set(x!.get),
        ...rest.set(channels!.get),
        ...loopWhile(rest.get, [
          ...largest.set(FOUR.ofBits(i32.const(BITS.minusInfinity))),
          ...everyPlace((at) => largest.set(FOUR.atLeast(largest.get, FOUR.load(i32.add(xAt.get, at), 0)))),
          ...FOUR.store(out!.get, largest.get, 0),
          ...[xAt, out!].flatMap((pointer) => bump(pointer, i32.const(FOUR.bytes))),
          ...bump(rest, i32.const(-4)),
        ]),
        ...bump(x!, step!.get),
        ...bump(windows!, i32.const(-1)),
      ]),
    ];
  });
}
