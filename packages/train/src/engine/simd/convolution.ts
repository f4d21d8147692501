/**
 * Convolutions of one image, read as it lies: ordinary ones,
 *
 *   out[y, x, k] = max(floor, (sum over i, t of  in[s y + d i, s x, t] F[i, t, k]) + bias[k])
 *
 * where t runs over the channels of all pixels that a row of the filter covers: they follow one another in the image, as do their
 * weights in the filter, so nothing is unfolded or packed; and depthwise ones, where it runs over the pixels and each filter sees the
 * channel of its own number. A tile of 4 pixels by 8 filters stays in registers while i and t run
 * (Goto and van de Geijn 2008); the filters of a tile stay near while it goes over the image. Sums run in a fixed order.
 */
import {
  bump,
  type Code,
  defineFunction,
  type FunctionSource,
  i32,
  type Lanes,
  type Local,
  loopWhile,
  mask,
  strided,
} from "./assembler.ts";
import { addProducts, eachCell } from "./tile.ts";

/** Pixels of a tile, and of the smaller ones at a row's end. */
const HEIGHTS = [4, 3, 2, 1];

/**
 * `convolve(x, pixel, tapRow, nextRow, filter, taps, tapRows, ends, out, width, height, filters)`: addresses and strides in bytes, sizes
 * in elements. `pixel` and `nextRow` lie between the windows of neighbouring outputs, `tapRow` between the rows of a window, each of
 * `taps` values. `ends` holds a bias for each filter, then the floor. There are at least four filters.
 *
 * `convolveChannels`, the depthwise one, has one parameter more: `tap` lies between the values of a channel in a row of a window.
 */
export const convolution = (name: "convolve" | "convolveChannels", four: Lanes): FunctionSource =>
  defineFunction(name, name === "convolve" ? 12 : 13, (parameters, local) => {
    const isDepthwise = name === "convolveChannels";
    const [x, pixel, tapRow, nextRow, filter, taps, tapRows, ends, out, width, height, filters, tap] =
      parameters as readonly Local[] & Record<number, Local>;
    const [outPixel, floor, rest, step, row, window, target, across, down, i, t, line, weights] = Array.from(
      { length: 13 },
      () => local("i32"),
    );
    const pointers = HEIGHTS.map(() => local("i32"));
    const registers = Array.from({ length: 8 }, () => local("v128"));
    const panel = [local("v128"), local("v128")];
    const factor = local("v128");

    const tile = (pixels: number, vectors: number): Code => {
      const cells = registers.slice(0, pixels * vectors);
      const from = pointers.slice(0, pixels);
      const columns = panel.slice(0, vectors);
      return [
        ...cells.flatMap((cell) => cell.set(mask.none)),
        ...weights!.set(filter!.get),
        ...line!.set(window!.get),
        ...i!.set(tapRows!.get),
        ...loopWhile(i!.get, [
          ...from.flatMap((pointer, p) => pointer.set(strided(line!.get, pixel!.get, p))),
          ...t!.set(taps!.get),
          // One t a turn: V8 loads all that a longer body needs before it computes, and runs out of registers.
          ...loopWhile(t!.get, [
            ...columns.flatMap((column, q) => column.set(four.load(weights!.get, q * four.bytes))),
            ...(isDepthwise
              ? eachCell(cells, vectors, (cell, p, q) =>
                  cell.set(four.multiplyAdd(four.load(from[p]!.get, q * four.bytes), columns[q]!.get, cell.get)),
                )
              : addProducts(four, cells, columns, factor, (p) => four.broadcast(from[p]!.get, 0))),
            ...from.flatMap((pointer) => bump(pointer, isDepthwise ? tap!.get : i32.const(4))),
            ...bump(weights!, outPixel!.get),
            ...bump(t!, i32.const(-1)),
          ]),
          ...bump(line!, tapRow!.get),
          ...bump(i!, i32.const(-1)),
        ]),
        ...factor.set(four.broadcast(floor!.get, 0)),
        ...eachCell(cells, vectors, (cell, p, q) =>
          four.store(
            strided(target!.get, outPixel!.get, p),
            four.atLeast(four.add(cell.get, four.load(ends!.get, q * four.bytes)), factor.get),
            q * four.bytes,
          ),
        ),
      ];
    };

    /** All of the image for the next `vectors` times four filters. */
    const image = (vectors: number): Code => [
      ...target!.set(out!.get),
      ...row!.set(x!.get),
      ...down!.set(height!.get),
      ...loopWhile(down!.get, [
        ...window!.set(row!.get),
        ...across!.set(width!.get),
        ...HEIGHTS.flatMap((pixels) =>
          loopWhile(i32.greaterEqual(across!.get, i32.const(pixels)), [
            ...tile(pixels, vectors),
            ...bump(window!, strided(i32.const(0), pixel!.get, pixels)),
            ...bump(target!, strided(i32.const(0), outPixel!.get, pixels)),
            ...bump(across!, i32.const(-pixels)),
          ]),
        ),
        ...bump(row!, nextRow!.get),
        ...bump(down!, i32.const(-1)),
      ]),
    ];
    const moveOn = (floats: Code): Code =>
      [filter, ends, out, ...(isDepthwise ? [x] : [])].flatMap((pointer) =>
        bump(pointer!, i32.shiftLeft(floats, i32.const(2))),
      );

    return [
      outPixel!.set(i32.shiftLeft(filters!.get, i32.const(2))),
      floor!.set(i32.add(ends!.get, outPixel!.get)),
      rest!.set(filters!.get),
      loopWhile(i32.greaterEqual(rest!.get, i32.const(8)), [
        ...image(2),
        ...moveOn(i32.const(8)),
        ...bump(rest!, i32.const(-8)),
      ]),
      loopWhile(rest!.get, [
        // The last filters are computed together with some that are there already.
        ...step!.set(i32.select(i32.const(4), rest!.get, i32.greaterEqual(rest!.get, i32.const(4)))),
        ...moveOn(i32.sub(step!.get, i32.const(4))),
        ...image(1),
        ...moveOn(i32.const(4)),
        ...rest!.set(i32.sub(rest!.get, step!.get)),
      ]),
    ];
  });
