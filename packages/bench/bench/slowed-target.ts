/** A model in onnxruntime-node whose calls take a given share longer: `DISTILLATE_SLOWDOWN=0.1` adds a tenth. */
import { nodeOpeners } from "../src/node/openers.ts";
import type { InputSet, OpenTarget, TargetSpec } from "../src/target.ts";
import { watchWasm } from "../src/wasm-watch.ts";

const share = Number(process.env.DISTILLATE_SLOWDOWN ?? 0);

/** Opens it. */
export async function openTarget(spec: TargetSpec, inputs: InputSet): Promise<OpenTarget> {
  const open = nodeOpeners(watchWasm())["onnxruntime-node"]!;
  const target = await open({ ...spec, runtime: "onnxruntime-node" }, inputs);
  return {
    ...target,
    prepare(first, rows) {
      const call = target.prepare(first, rows);
      return async () => {
        const from = performance.now();
        const result = await call();
        const until = from + (1 + share) * (performance.now() - from);
        while (performance.now() < until);
        return result;
      };
    },
  };
}
