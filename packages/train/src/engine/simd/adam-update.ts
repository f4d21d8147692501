/**
 * Adam's update of one weight in one pass, four floats an instruction:
 *
 *   m' = b1 m + (1 - b1) g        v' = b2 v + (1 - b2) g^2        w' = w - (r m') / (sqrt(v') + e)
 *
 * Rounded as the same update is that is composed of single operations, but that denormal m' and v' are zero: what no gradient
 * reaches any more, the weights of a unit that has died, would stay denormal for good, and processors take a hundred cycles for each.
 */
import { type Code, defineFunction, FOUR, type FunctionSource, type Lanes, ONE } from "./assembler.ts";
import { eachElement } from "./elementwise.ts";

/** The numbers that the loop is told: b1, 1 - b1, b2, 1 - b2, r, e. */
export function adamNumbers(beta1: number, beta2: number, rate: number, epsilon: number): readonly number[] {
  return [beta1, 1 - beta1, beta2, 1 - beta2, rate, epsilon];
}

/** `adamUpdate(w, g, m, v, outW, outM, outV, numbers, size)`: addresses; for `numbers` see {@link adamNumbers}. */
export const ADAM_UPDATE: FunctionSource = defineFunction("adamUpdate", 9, (parameters, local) => {
  const [w, g, m, v, outW, outM, outV, numbers, size] = parameters;
  const registers = {
    v128: Array.from({ length: 9 }, () => local("v128")),
    f32: Array.from({ length: 9 }, () => local("f32")),
  };

  const stretch = (lanes: Lanes): Code => {
    const [b1, rest1, b2, rest2, rate, epsilon, gradient, nextM, nextV] = registers[lanes.type];
    return [
      ...[b1, rest1, b2, rest2, rate, epsilon].flatMap((register, i) =>
        register!.set(lanes.broadcast(numbers!.get, i * 4)),
      ),
      ...eachElement(
        lanes,
        size!,
        [w!, g!, m!, v!, outW!, outM!, outV!],
        [
          ...gradient!.set(lanes.load(g!.get, 0)),
          ...nextM!.set(lanes.add(lanes.mul(lanes.load(m!.get, 0), b1!.get), lanes.mul(gradient!.get, rest1!.get))),
          ...nextV!.set(
            lanes.add(
              lanes.mul(lanes.load(v!.get, 0), b2!.get),
              lanes.mul(lanes.mul(gradient!.get, gradient!.get), rest2!.get),
            ),
          ),
          ...nextM!.set(lanes.flushed(nextM!)),
          ...nextV!.set(lanes.flushed(nextV!)),
          ...lanes.store(
            outW!.get,
            lanes.sub(
              lanes.load(w!.get, 0),
              lanes.div(lanes.mul(nextM!.get, rate!.get), lanes.add(lanes.sqrt(nextV!.get), epsilon!.get)),
            ),
            0,
          ),
          ...lanes.store(outM!.get, nextM!.get, 0),
          ...lanes.store(outV!.get, nextV!.get, 0),
        ],
      ),
    ];
  };
  return [stretch(FOUR), stretch(ONE)];
});
