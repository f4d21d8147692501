/**
 * Hands gradients to the first largest input of each window of a row of windows, four channels an instruction: the largest value in
 * one pass, then a second pass in which each place that equals it, and whose channel nobody has taken, gets the gradient.
 */
import {
  BITS,
  bump,
  defineFunction,
  FOUR,
  type FunctionSource,
  i32,
  type Local,
  loopWhile,
  mask,
} from "./assembler.ts";
import { type WindowSize, walkWindow } from "./window.ts";

/**
 * `name(x, out, dy, row, pixel, step, windows, channels, least, height, width)`: addresses and strides in bytes; windows lie `step` apart,
 * their gradients one behind another, which are handed on where the largest value is at least that of the bits `least`. Channels are a
 * multiple of four. The last two are left out where `size` says them: such windows are
 * gone through without loops and lie apart, so that nothing need be added to what is there.
 */
export function windowMaxima(name: string, size?: WindowSize): FunctionSource {
  return defineFunction(name, size ? 9 : 11, (parameters, local) => {
    const [x, out, dy, row, pixel, step, windows, channels, least, height, width] = parameters as readonly Local[] &
      Record<number, Local>;
    const [xAt, outAt, rest] = Array.from({ length: 3 }, () => local("i32"));
    const [largest, gradient, taken, here] = Array.from({ length: 4 }, () => local("v128"));
    const { start, everyPlace } = walkWindow({ row: row!, pixel: pixel!, height, width }, size, local);

    return [
      start,
      loopWhile(windows!.get, [
        ...xAt!.set(x!.get),
        ...outAt!.set(out!.get),
        ...rest!.set(channels!.get),
        ...loopWhile(rest!.get, [
          ...largest!.set(FOUR.ofBits(i32.const(BITS.minusInfinity))),
          ...everyPlace((at) => largest!.set(FOUR.atLeast(largest!.get, FOUR.load(i32.add(xAt!.get, at), 0)))),
          ...gradient!.set(mask.and(FOUR.load(dy!.get, 0), mask.greaterEqual(largest!.get, FOUR.ofBits(least!.get)))),
          ...taken!.set(mask.none),
          ...everyPlace((at) => {
            const handed = mask.and(gradient!.get, here!.get);
            const [value, target] = [FOUR.load(i32.add(xAt!.get, at), 0), i32.add(outAt!.get, at)];
            return [
              ...here!.set(mask.without(mask.equal(value, largest!.get), taken!.get)),
              ...taken!.set(mask.or(taken!.get, here!.get)),
              ...FOUR.store(target, size ? handed : FOUR.add(FOUR.load(target, 0), handed), 0),
            ];
          }),
          ...[xAt!, outAt!, dy!].flatMap((pointer) => bump(pointer, i32.const(FOUR.bytes))),
          ...bump(rest!, i32.const(-4)),
        ]),
        ...[x!, out!].flatMap((pointer) => bump(pointer, step!.get)),
        ...bump(windows!, i32.const(-1)),
      ]),
    ];
  });
}
