/**
 * Hands gradients to the first largest input of each window of a row of windows, four channels an instruction: the largest value in
 * one pass, then a second pass in which each place that equals it, and whose channel nobody has taken, gets the gradient.
 */
import {
  BITS,
  bump,
  type Code,
  defineFunction,
  FOUR,
  type FunctionSource,
  i32,
  type Local,
  loopWhile,
  mask,
  strided,
} from "./assembler.ts";

/** Height and width of a window. */
type Size = readonly [number, number];

/**
 * `name(x, out, dy, row, pixel, step, windows, channels, least, height, width)`: addresses and strides in bytes; windows lie `step` apart,
 * their gradients one behind another, which are handed on where the largest value is at least that of the bits `least`. Channels are a
 * multiple of four. The last two are left out where `size` says them: such windows are
 * gone through without loops and lie apart, so that nothing need be added to what is there.
 */
export function windowMaxima(name: string, size?: Size): FunctionSource {
  return defineFunction(name, size ? 9 : 11, (parameters, local) => {
    const [x, out, dy, row, pixel, step, windows, channels, least, height, width] = parameters as readonly Local[] &
      Record<number, Local>;
    const [xAt, outAt, rest, y, column, place, rowPlace] = Array.from({ length: 7 }, () => local("i32"));
    const [largest, gradient, taken, here] = Array.from({ length: 4 }, () => local("v128"));
    const places = Array.from({ length: size ? size[0] * size[1] : 0 }, () => local("i32"));

    /** Goes through a window: `visit` gets how far from the first a place is. */
    const everyPlace = (visit: (place: Code) => Code): Code =>
      size
        ? places.flatMap((known) => visit(known.get))
        : [
            ...rowPlace!.set(i32.const(0)),
            ...y!.set(height!.get),
            ...loopWhile(y!.get, [
              ...place!.set(rowPlace!.get),
              ...column!.set(width!.get),
              ...loopWhile(column!.get, [
                ...visit(place!.get),
                ...bump(place!, pixel!.get),
                ...bump(column!, i32.const(-1)),
              ]),
              ...bump(rowPlace!, row!.get),
              ...bump(y!, i32.const(-1)),
            ]),
          ];

    return [
      ...places.map((known, i) => {
        const down = strided(i32.const(0), row!.get, Math.floor(i / size![1]));
        return known.set(strided(down, pixel!.get, i % size![1]));
      }),
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
