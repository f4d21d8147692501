/** What `setTimeout` can hold; more, `Infinity` too, would fire at once. */
const LONGEST = 2 ** 31 - 1;

/** Calls after so many milliseconds, or never where that is longer than a timer can wait; returns how to cancel. */
export function after(milliseconds: number, call: () => void): () => void {
  if (milliseconds > LONGEST) return () => {};
  const timer = setTimeout(call, milliseconds);
  return () => clearTimeout(timer);
}
