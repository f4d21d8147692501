/**
 * A WebAssembly module whose memory other threads may see: the same code over a memory of another kind, which is one bit of its
 * description. Encoding: WebAssembly core specification 3.0, section 5.3 (limits) and 5.5.8 (memory section).
 */

const HEADER = 8;
const MEMORY_SECTION = 5;
/** Limits with a most, and the same of a shared memory. */
const [BOUNDED, SHARED] = [0x01, 0x03];

/** A module of one bounded memory with that memory shared; `undefined` of any other module. */
export function shareMemory(module: Uint8Array): Uint8Array | undefined {
  for (let at = HEADER; at < module.length; ) {
    const section = module[at]!;
    const size = readUnsigned(module, at + 1);
    if (section === MEMORY_SECTION) {
      const count = readUnsigned(module, size.end);
      if (count.value !== 1 || module[count.end] !== BOUNDED) return undefined;
      const shared = new Uint8Array(module);
      shared[count.end] = SHARED;
      return shared;
    }
    at = size.end + size.value;
  }
  return undefined;
}

/** A number in LEB128, seven bits a byte, and where it ends. */
function readUnsigned(bytes: Uint8Array, from: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = from, shift = 1; at < bytes.length; at++, shift *= 128) {
    value += (bytes[at]! & 0x7f) * shift;
    if (bytes[at]! < 0x80) return { value, end: at + 1 };
  }
  return { value, end: bytes.length };
}
