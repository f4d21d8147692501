/** The sum of two arrays, each times a number, four floats an instruction. Products are rounded before they are added. */
import { type Code, defineFunction, FOUR, type FunctionSource, type Lanes, ONE } from "./assembler.ts";
import { eachElement } from "./elementwise.ts";

/** `weightedSum(a, b, weights, out, size)`: out[i] = weights[0] a[i] + weights[1] b[i]; `out` may be `a` or `b`. */
export const WEIGHTED_SUM: FunctionSource = defineFunction("weightedSum", 5, ([a, b, weights, out, size], local) => {
  const registers = { v128: [local("v128"), local("v128")], f32: [local("f32"), local("f32")] };
  const stretch = (lanes: Lanes): Code => {
    const [ofA, ofB] = registers[lanes.type];
    return [
      ...[ofA, ofB].flatMap((weight, i) => weight!.set(lanes.broadcast(weights!.get, i * 4))),
      ...eachElement(
        lanes,
        size!,
        [a!, b!, out!],
        lanes.store(
          out!.get,
          lanes.add(lanes.mul(lanes.load(a!.get, 0), ofA!.get), lanes.mul(lanes.load(b!.get, 0), ofB!.get)),
          0,
        ),
      ),
    ];
  };
  return [stretch(FOUR), stretch(ONE)];
});
