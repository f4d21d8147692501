/** A rectifier and its gradient, four floats an instruction. */
import { type Code, defineFunction, FOUR, type FunctionSource, type Lanes, ONE } from "./assembler.ts";
import { eachElement } from "./elementwise.ts";

/** `rectify(dy, y, out, size)`: out[i] = y[i] > 0 ? dy[i] : 0. */
export const RECTIFY: FunctionSource = defineFunction("rectify", 4, ([dy, y, out, size]) => {
  const stretch = (lanes: Lanes): Code => {
    const value = lanes.wherePositive(lanes.load(dy!.get, 0), lanes.load(y!.get, 0));
    return eachElement(lanes, size!, [dy!, y!, out!], lanes.store(out!.get, value, 0));
  };
  return [stretch(FOUR), stretch(ONE)];
});

/** `floor(x, least, out, size)`: out[i] = max(x[i], least), and x[i] where that is no number; `least` as its bits. */
export const FLOOR: FunctionSource = defineFunction("floor", 4, ([x, least, out, size]) => {
  const stretch = (lanes: Lanes): Code => {
    const value = lanes.atLeast(lanes.load(x!.get, 0), lanes.ofBits(least!.get));
    return eachElement(lanes, size!, [x!, out!], lanes.store(out!.get, value, 0));
  };
  return [stretch(FOUR), stretch(ONE)];
});
