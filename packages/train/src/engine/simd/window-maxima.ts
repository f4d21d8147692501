/**
 * Hands a gradient to the first largest input of a window, four channels an instruction: the largest value in one pass, then a
 * second pass in which each place that equals it, and whose channel nobody has taken, gets the gradient.
 */
import { bump, type Code, defineFunction, FOUR, type FunctionSource, i32, loopWhile, mask } from "./assembler.ts";

/** `windowMaxima(x, out, dy, row, pixel, height, width, channels)`: addresses and strides in bytes. */
export const WINDOW_MAXIMA: FunctionSource = defineFunction("windowMaxima", 8, (parameters, local) => {
  const [x, out, dy, row, pixel, height, width, channels] = parameters;
  const [y, column, at, rowAt, outAt, outRowAt] = Array.from({ length: 6 }, () => local("i32"));
  const [largest, gradient, taken, here] = Array.from({ length: 4 }, () => local("v128"));
  const lane = i32.const(FOUR.bytes);

  const everyPlace = (visit: Code): Code => [
    ...rowAt!.set(x!.get),
    ...outRowAt!.set(out!.get),
    ...y!.set(height!.get),
    ...loopWhile(y!.get, [
      ...at!.set(rowAt!.get),
      ...outAt!.set(outRowAt!.get),
      ...column!.set(width!.get),
      ...loopWhile(column!.get, [
        ...visit,
        ...bump(at!, pixel!.get),
        ...bump(outAt!, pixel!.get),
        ...bump(column!, i32.const(-1)),
      ]),
      ...bump(rowAt!, row!.get),
      ...bump(outRowAt!, row!.get),
      ...bump(y!, i32.const(-1)),
    ]),
  ];

  return [
    loopWhile(channels!.get, [
      ...largest!.set(FOUR.load(x!.get, 0)),
      ...everyPlace(largest!.set(mask.max(largest!.get, FOUR.load(at!.get, 0)))),
      ...gradient!.set(FOUR.load(dy!.get, 0)),
      ...taken!.set(mask.none),
      ...everyPlace([
        ...here!.set(mask.without(mask.equal(FOUR.load(at!.get, 0), largest!.get), taken!.get)),
        ...taken!.set(mask.or(taken!.get, here!.get)),
        ...FOUR.store(outAt!.get, FOUR.add(FOUR.load(outAt!.get, 0), mask.and(gradient!.get, here!.get)), 0),
      ]),
      ...[x!, out!, dy!].flatMap((pointer) => bump(pointer, lane)),
      ...bump(channels!, i32.const(-4)),
    ]),
  ];
});
