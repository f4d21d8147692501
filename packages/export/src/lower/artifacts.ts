/**
 * What a tfjs model is made of, in either format, and its weights as tensors. A manifest may hold floats as uint8 or uint16 with
 * a scale and a minimum, or as float16: `value = stored * scale + min`. Source: tfjs-core, io/io_utils.ts (decodeWeights).
 */
import { DistillateError } from "@distillate/bundle";
import type { DType, Tensor } from "../graph.ts";

/** One weight of a manifest, in the order in which the weights lie in the data. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: { readonly dtype: string; readonly scale?: number; readonly min?: number };
}

/** The artifacts of a tfjs model as `model.save()` hands them over, or as its `model.json` and weight files hold them. */
export interface ModelArtifacts {
  /** A LayersModel's configuration, or a GraphModel's `{ node: [...] }`. */
  readonly modelTopology: object;
  readonly weightSpecs: readonly WeightSpec[];
  /** All weight files, one after the other. */
  readonly weightData: Uint8Array | ArrayBuffer | readonly ArrayBuffer[];
  /** What a GraphModel calls its inputs and outputs. */
  readonly signature?: object;
  /** Where older GraphModels keep their signature. */
  readonly userDefinedMetadata?: object;
}

const BYTES: { readonly [dtype: string]: number } = { float32: 4, int32: 4, bool: 1, complex64: 8 };
const STORED_BYTES: { readonly [dtype: string]: number } = { uint8: 1, uint16: 2, float16: 2 };

/**
 * Decodes every weight that has a type of this graph's; strings and complex numbers are passed over.
 *
 * @throws DistillateError `model-invalid` where specs and data do not fit each other.
 */
export function readWeights({ weightSpecs, weightData }: ModelArtifacts): ReadonlyMap<string, Tensor> {
  const table = new Map<string, Tensor>();
  const data = joined(weightData);
  let offset = 0;
  const take = (name: string, bytes: number): Uint8Array => {
    if (offset + bytes > data.byteLength) throw invalid(`its weights end at ${data.byteLength} bytes, within ${name}`);
    offset += bytes;
    return data.subarray(offset - bytes, offset);
  };
  for (const spec of weightSpecs) {
    const { name, shape, dtype, quantization } = spec;
    if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0))
      throw invalid(`weight ${name} has the shape ${JSON.stringify(shape)}`);
    const count = shape.reduce((product, size) => product * size, 1);
    if (dtype === "string") {
      for (let i = 0; i < count; i++) {
        const length = take(name, 4);
        take(name, new DataView(length.buffer, length.byteOffset, 4).getUint32(0, true));
      }
      continue;
    }
    const size = quantization === undefined ? BYTES[dtype] : STORED_BYTES[quantization.dtype];
    if (size === undefined || !Object.hasOwn(BYTES, dtype))
      throw invalid(`weight ${name} has type ${quantization?.dtype ?? dtype}, which no manifest has`);
    const bytes = take(name, count * size);
    if (dtype === "complex64") continue;
    table.set(name, {
      dtype: dtype as DType,
      shape,
      bytes: quantization === undefined ? bytes : dequantized(spec, quantization, bytes, count),
    });
  }
  if (offset !== data.byteLength) throw invalid(`its weights have ${data.byteLength} bytes, expected ${offset}`);
  return table;
}

function dequantized(
  { name, dtype }: WeightSpec,
  { dtype: stored, scale, min }: NonNullable<WeightSpec["quantization"]>,
  bytes: Uint8Array,
  count: number,
): Uint8Array {
  const numbers = stored === "uint8" ? bytes : new Uint16Array(bytes.slice().buffer);
  if (stored === "float16") {
    if (dtype !== "float32") throw invalid(`weight ${name} holds ${dtype} as float16`);
    const bits = new Uint32Array(count);
    for (let i = 0; i < count; i++) bits[i] = float32Bits(numbers[i]!);
    return new Uint8Array(bits.buffer);
  }
  if (typeof scale !== "number" || typeof min !== "number" || dtype === "bool")
    throw invalid(`weight ${name} holds ${dtype} as ${stored} without a scale and a minimum`);
  const values = dtype === "int32" ? new Int32Array(count) : new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const value = numbers[i]! * scale + min;
    values[i] = dtype === "int32" ? Math.round(value) : value;
  }
  return new Uint8Array(values.buffer);
}

/** The bits of a float16 as those of the float32 that is the same number. */
function float32Bits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 31;
  let fraction = half & 1023;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  let shift = 113;
  for (; (fraction & 1024) === 0; shift--) fraction <<= 1;
  return sign | (shift << 23) | ((fraction & 1023) << 13);
}

function joined(data: ModelArtifacts["weightData"]): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (!Array.isArray(data) || !data.every((part) => part instanceof ArrayBuffer))
    throw invalid("its weightData is neither bytes nor a list of buffers");
  const whole = new Uint8Array(data.reduce((total, part) => total + part.byteLength, 0));
  let offset = 0;
  for (const part of data) {
    whole.set(new Uint8Array(part), offset);
    offset += part.byteLength;
  }
  return whole;
}

/** The error for artifacts that are no whole model. */
export function invalid(what: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "model-invalid",
    message: `the model cannot be read: ${what}`,
    hint: "Give a tfjs model as model.save() or the converter writes it, whole.",
    cause,
  });
}
