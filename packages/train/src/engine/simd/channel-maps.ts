/**
 * Maps and sums over rows of channels, as a normalisation needs them, four channels an instruction; rows lie densely. Coefficients
 * and sums stay in registers while the rows run.
 */
import {
  bump,
  type Code,
  defineFunction,
  FOUR,
  type FunctionSource,
  i32,
  type Lanes,
  type Local,
  loopWhile,
  ONE,
} from "./assembler.ts";

/**
 * `name(m0, ..., coefficients, floor, out, rows, columns)`: out[r, c] = max(floor, m0[r, c] a0[c] + ... + b[c]), with a0, ..., b one after
 * the other and the floor as its bits. `out` may be one of the m.
 */
export function affineColumns(name: string, matrices: number): FunctionSource {
  return defineFunction(name, matrices + 5, (all, local) => {
    const [coefficients, floor, out, rows, columns] = all.slice(-5) as [Local, Local, Local, Local, Local];
    const bases = all.slice(0, matrices);
    const [row, rowBytes, at] = [local("i32"), local("i32"), local("i32")];
    const pointers = [...bases, out].map(() => local("i32"));
    const registers = {
      v128: Array.from({ length: 2 * (matrices + 1) }, () => local("v128")),
      f32: Array.from({ length: matrices + 1 }, () => local("f32")),
    };
    const floors = { v128: local("v128"), f32: local("f32") };
    const stretch = (lanes: Lanes, width: number): Code => {
      const held = Array.from({ length: matrices + 1 }, (_k, k) =>
        registers[lanes.type].slice(k * width, (k + 1) * width),
      );
      const count = width * (lanes.bytes / 4);
      const target = pointers.at(-1)!;
      return loopWhile(i32.greaterEqual(columns.get, i32.const(count)), [
        ...at.set(coefficients.get),
        ...held.flatMap((group) => [
          ...group.flatMap((register, i) => register.set(lanes.load(at.get, i * lanes.bytes))),
          ...bump(at, rowBytes.get),
        ]),
        ...pointers.flatMap((pointer, k) => pointer.set([...bases, out][k]!.get)),
        ...row.set(rows.get),
        ...loopWhile(row.get, [
          ...Array.from({ length: width }, (_i, i) => {
            const terms = bases.map((_base, k) =>
              lanes.mul(lanes.load(pointers[k]!.get, i * lanes.bytes), held[k]![i]!.get),
            );
            const sum = [...terms, held[matrices]![i]!.get].reduce(lanes.add);
            return lanes.store(target.get, lanes.atLeast(sum, floors[lanes.type].get), i * lanes.bytes);
          }).flat(),
          ...pointers.flatMap((pointer) => bump(pointer, rowBytes.get)),
          ...bump(row, i32.const(-1)),
        ]),
        ...[...bases, coefficients, out].flatMap((pointer) => bump(pointer, i32.const(count * 4))),
        ...bump(columns, i32.const(-count)),
      ]);
    };
    return [
      rowBytes.set(i32.shiftLeft(columns.get, i32.const(2))),
      ...[FOUR, ONE].map((lanes) => floors[lanes.type].set(lanes.ofBits(floor.get))),
      stretch(FOUR, 2),
      stretch(FOUR, 1),
      stretch(ONE, 1),
    ];
  });
}

/** `centredDots(x, y, centre, out, rows, columns)`: out[c] += sum over r of (x[r, c] - centre[c]) y[r, c]. */
export const CENTRED_DOTS: FunctionSource = defineFunction("centredDots", 6, (parameters, local) => {
  const [x, y, centre, out, rows, columns] = parameters;
  const [row, rowBytes, xAt, yAt] = Array.from({ length: 4 }, () => local("i32"));
  const registers = {
    v128: Array.from({ length: 8 }, () => local("v128")),
    f32: Array.from({ length: 2 }, () => local("f32")),
  };
  const stretch = (lanes: Lanes, width: number): Code => {
    const sums = registers[lanes.type].slice(0, width);
    const centres = registers[lanes.type].slice(width, 2 * width);
    const count = width * (lanes.bytes / 4);
    return loopWhile(i32.greaterEqual(columns!.get, i32.const(count)), [
      ...sums.flatMap((sum, i) => sum.set(lanes.load(out!.get, i * lanes.bytes))),
      ...centres.flatMap((each, i) => each.set(lanes.load(centre!.get, i * lanes.bytes))),
      ...xAt!.set(x!.get),
      ...yAt!.set(y!.get),
      ...row!.set(rows!.get),
      ...loopWhile(row!.get, [
        ...sums.flatMap((sum, i) => {
          const deviation = lanes.sub(lanes.load(xAt!.get, i * lanes.bytes), centres[i]!.get);
          return sum.set(lanes.add(sum.get, lanes.mul(deviation, lanes.load(yAt!.get, i * lanes.bytes))));
        }),
        ...bump(xAt!, rowBytes!.get),
        ...bump(yAt!, rowBytes!.get),
        ...bump(row!, i32.const(-1)),
      ]),
      ...sums.flatMap((sum, i) => lanes.store(out!.get, sum.get, i * lanes.bytes)),
      ...[x, y, centre, out].flatMap((pointer) => bump(pointer!, i32.const(count * 4))),
      ...bump(columns!, i32.const(-count)),
    ]);
  };
  return [
    rowBytes!.set(i32.shiftLeft(columns!.get, i32.const(2))),
    stretch(FOUR, 4),
    stretch(FOUR, 1),
    stretch(ONE, 1),
  ];
});
