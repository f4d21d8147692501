/**
 * An update by momentum of one weight in one pass, four floats an instruction:
 *
 *   u' = mu u + g        w' = w - r u'
 *
 * Rounded as the same update is that is composed of single operations; denormal u' are zero: see adam-update.ts.
 */
import { type Code, defineFunction, FOUR, type FunctionSource, type Lanes, ONE } from "./assembler.ts";
import { eachElement } from "./elementwise.ts";

/** `momentumUpdate(w, g, u, outW, outU, numbers, size)`: addresses; `numbers` holds mu, r. */
export const MOMENTUM_UPDATE: FunctionSource = defineFunction("momentumUpdate", 7, (parameters, local) => {
  const [w, g, u, outW, outU, numbers, size] = parameters;
  const registers = {
    v128: Array.from({ length: 3 }, () => local("v128")),
    f32: Array.from({ length: 3 }, () => local("f32")),
  };

  const stretch = (lanes: Lanes): Code => {
    const [momentum, rate, next] = registers[lanes.type];
    return [
      ...[momentum, rate].flatMap((register, i) => register!.set(lanes.broadcast(numbers!.get, i * 4))),
      ...eachElement(
        lanes,
        size!,
        [w!, g!, u!, outW!, outU!],
        [
          ...next!.set(lanes.add(lanes.mul(lanes.load(u!.get, 0), momentum!.get), lanes.load(g!.get, 0))),
          ...next!.set(lanes.flushed(next!)),
          ...lanes.store(outW!.get, lanes.sub(lanes.load(w!.get, 0), lanes.mul(next!.get, rate!.get)), 0),
          ...lanes.store(outU!.get, next!.get, 0),
        ],
      ),
    ];
  };
  return [stretch(FOUR), stretch(ONE)];
});
