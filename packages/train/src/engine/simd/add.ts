/** The sum of two arrays, four floats an instruction. */
import { type Code, defineFunction, FOUR, type FunctionSource, type Lanes, ONE } from "./assembler.ts";
import { eachElement } from "./elementwise.ts";

/** `add(a, b, out, size)`: out[i] = a[i] + b[i]; `out` may be `a` or `b`. */
export const ADD: FunctionSource = defineFunction("add", 4, ([a, b, out, size]) => {
  const stretch = (lanes: Lanes): Code => {
    const sum = lanes.add(lanes.load(a!.get, 0), lanes.load(b!.get, 0));
    return eachElement(lanes, size!, [a!, b!, out!], lanes.store(out!.get, sum, 0));
  };
  return [stretch(FOUR), stretch(ONE)];
});
