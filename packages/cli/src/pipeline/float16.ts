/** Numbers as IEEE 754 binary16, for files of logits. */
const float = new Float32Array(1);
const bitsOf = new Uint32Array(float.buffer);

/** The bits of the float16 nearest to a number (of two equally near, the even one); beyond 65504 it is infinite. */
export function float16Bits(value: number): number {
  float[0] = value;
  const bits = bitsOf[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // not a number
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // half a step above 65504, and more
  // Below 2^-14 the steps are 2^-24 wide: adding half a unit of float32 whose last bit is worth that lets the hardware round.
  if (magnitude < 0x38800000) {
    float[0] = Math.abs(value) + 0.5;
    return sign | (bitsOf[0]! - 0x3f000000);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** The number of a float16's bits. */
export function float16Value(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
