/**
 * Sums down the columns of a matrix of rows, in lines of so many, four columns an instruction, over the tfjs wasm backend's own
 * memory: callers pass addresses of tensors, nothing is copied. Loops over images and edges stay in TypeScript.
 *
 * A sum is added to what `out` holds and stays in registers while the rows run. Columns keep their order of addition
 * whatever the lanes, so results are the same on every machine.
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
 * `name(m0, m0Row, m0Line, ..., out, rows, lines, columns)`: out[c] += sum over the lines and their rows of the product of all m[l, r, c].
 */
export function columnSums(name: string, matrices: number): FunctionSource {
  return defineFunction(name, matrices * 3 + 4, (all, local) => {
    const [out, rows, lines, columns] = all.slice(-4) as [Local, Local, Local, Local];
    const [row, line] = [local("i32"), local("i32")];
    const parameterOf = (part: number) => (_matrix: unknown, index: number) => all[index * 3 + part]!;
    const bases = Array.from({ length: matrices }, parameterOf(0));
    const rowBytes = Array.from({ length: matrices }, parameterOf(1));
    const lineBytes = Array.from({ length: matrices }, parameterOf(2));
    const [starts, pointers] = [bases.map(() => local("i32")), bases.map(() => local("i32"))];
    const registers = { v128: Array.from({ length: 4 }, () => local("v128")), f32: [local("f32")] };

    const stretch = (lanes: Lanes, width: number): Code => {
      const sums = registers[lanes.type].slice(0, width);
      const columnsDone = width * (lanes.bytes / 4);
      const advance = i32.const(columnsDone * 4);
      return loopWhile(i32.greaterEqual(columns.get, i32.const(columnsDone)), [
        ...sums.flatMap((sum, index) => sum.set(lanes.load(out.get, index * lanes.bytes))),
        ...starts.flatMap((start, index) => start.set(bases[index]!.get)),
        ...line.set(lines.get),
        ...loopWhile(line.get, [
          ...pointers.flatMap((pointer, index) => pointer.set(starts[index]!.get)),
          ...row.set(rows.get),
          ...loopWhile(row.get, [
            ...sums.flatMap((sum, index) => {
              const values = pointers.map((pointer) => lanes.load(pointer.get, index * lanes.bytes));
              return sum.set(lanes.add(sum.get, values.reduce(lanes.mul)));
            }),
            ...pointers.flatMap((pointer, index) => bump(pointer, rowBytes[index]!.get)),
            ...bump(row, i32.const(-1)),
          ]),
          ...starts.flatMap((start, index) => bump(start, lineBytes[index]!.get)),
          ...bump(line, i32.const(-1)),
        ]),
        ...sums.flatMap((sum, index) => lanes.store(out.get, sum.get, index * lanes.bytes)),
        ...[...bases, out].flatMap((pointer) => bump(pointer, advance)),
        ...bump(columns, i32.const(-columnsDone)),
      ]);
    };
    return [stretch(FOUR, 4), stretch(FOUR, 1), stretch(ONE, 1)];
  });
}
