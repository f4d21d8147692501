/** Floats that bytes stand for. */
import { bump, defineFunction, type FunctionSource, i32, loopWhile, ONE } from "./assembler.ts";

/** `lookUp(bytes, table, out, step, count)`: out[i step] = table[bytes[i step]] for `count` of them. */
export const LOOK_UP: FunctionSource = defineFunction("lookUp", 5, ([bytes, table, out, step, count], local) => {
  const floats = local("i32");
  const place = i32.add(table!.get, i32.shiftLeft(i32.loadByte(bytes!.get), i32.const(2)));
  return [
    floats.set(i32.shiftLeft(step!.get, i32.const(2))),
    loopWhile(count!.get, [
      ...ONE.store(out!.get, ONE.load(place, 0), 0),
      ...bump(bytes!, step!.get),
      ...bump(out!, floats.get),
      ...bump(count!, i32.const(-1)),
    ]),
  ];
});
