/**
 * `probe.bin`: a few prepared inputs with the float model's outputs. Whoever runs a variant on a device compares with it and
 * knows whether that device computes it rightly.
 *
 * Layout, little-endian: "DPRB", version (u32 = 1), samples, values per input, values per output (u32 each), then all inputs,
 * then all outputs (f32).
 */
import { DistillateError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

const MAGIC = 0x42525044; // "DPRB"
const HEADER = 20;

/** Inputs and expected outputs, sample after sample. */
export interface ProbeData {
  readonly samples: number;
  readonly inputs: Float32Array;
  readonly outputs: Float32Array;
}

/** Writes a probe. */
export function encodeProbe(probe: ProbeData): Uint8Array {
  const { samples, inputs, outputs } = probe;
  const bytes = new Uint8Array(HEADER + 4 * (inputs.length + outputs.length));
  const view = new DataView(bytes.buffer);
  for (const [i, word] of [MAGIC, 1, samples, inputs.length / samples, outputs.length / samples].entries()) {
    view.setUint32(i * 4, word, true);
  }
  for (const [i, value] of inputs.entries()) view.setFloat32(HEADER + i * 4, value, true);
  for (const [i, value] of outputs.entries()) view.setFloat32(HEADER + (inputs.length + i) * 4, value, true);
  return bytes;
}

/**
 * Reads a probe.
 *
 * @throws DistillateError `probe-invalid` when it is cut short, too large or something else.
 */
export function decodeProbe(bytes: Uint8Array): ProbeData {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < HEADER || view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== 1) {
    throw invalid(`${bytes.byteLength} bytes that do not begin as a probe of version 1`);
  }
  const [samples, input, output] = [8, 12, 16].map((at) => view.getUint32(at, true)) as [number, number, number];
  if (samples < 1 || samples > LIMITS.probeSamples)
    throw invalid(`${samples} samples, expected 1 to ${LIMITS.probeSamples}`);
  const expected = HEADER + 4 * samples * (input + output);
  if (bytes.byteLength !== expected) {
    throw invalid(
      `${bytes.byteLength} bytes, expected ${expected} for ${samples} samples of ${input} and ${output} values`,
    );
  }
  const floats = (from: number, length: number): Float32Array =>
    Float32Array.from({ length }, (_, i) => view.getFloat32(HEADER + (from + i) * 4, true));
  return { samples, inputs: floats(0, samples * input), outputs: floats(samples * input, samples * output) };
}

function invalid(found: string): DistillateError {
  return new DistillateError({
    code: "probe-invalid",
    message: `the probe has ${found}`,
    hint: "Fetch or copy the bundle again; its files belong together.",
  });
}
