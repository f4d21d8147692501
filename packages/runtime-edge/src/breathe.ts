/** Milliseconds of work after which the page gets its turn. */
const SLICE = 8;

/**
 * Lets a page do other things during work that only waits for promises: what is ready at once, such as bytes that have arrived
 * already, would otherwise go on in one long task. Call the result often; it waits only when a slice is over.
 */
export function createBreather(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < SLICE) return;
    await nextTask();
    last = performance.now();
  };
}

/** Ends the page's task and goes on in the next. A message comes back at once; timers wait 4 ms. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
