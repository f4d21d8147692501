/** Four-byte values of a cache line: what different threads write is not to share one, or each waits for the other's core. */
export const LINE = 16;
