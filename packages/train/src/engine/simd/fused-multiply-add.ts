/**
 * Whether products can be added without being rounded first: one instruction instead of two, and another result in the last bit.
 * WebAssembly leaves that to the machine (relaxed SIMD), so it is tried out.
 */
import { setFlagsFromString } from "node:v8";
import { defineFunction, FOUR_FUSED } from "./assembler.ts";
import { instantiate, isKnown, makeMemory } from "./instantiate.ts";

const PROBE = defineFunction("probe", 1, ([at]) => {
  const vector = (index: number) => FOUR_FUSED.load(at!.get, index * FOUR_FUSED.bytes);
  return [FOUR_FUSED.store(at!.get, FOUR_FUSED.multiplyAdd(vector(0), vector(1), vector(2)), 0)];
});

let known: boolean | undefined;

/** Whether {@link FOUR_FUSED} works here and rounds once. */
export function fusesMultiplyAdd(): boolean {
  known ??= knowsRelaxedSimd() && roundsOnce();
  return known;
}

function knowsRelaxedSimd(): boolean {
  if (isKnown([PROBE])) return true;
  // V8 of Node 20 has it behind this flag, one release before it came without. Modules that do not use it stay as they are.
  setFlagsFromString("--experimental-wasm-relaxed-simd");
  return isKnown([PROBE]);
}

/** (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24, of which a float keeps all but the last part. */
function roundsOnce(): boolean {
  const memory = makeMemory(1);
  const values = new Float32Array(memory.buffer);
  values.fill(1 + 2 ** -12, 0, 8).fill(-(1 + 2 ** -11), 8, 12);
  instantiate<{ probe(at: number): void }>([PROBE], memory).probe(0);
  return values[0] === 2 ** -24;
}
