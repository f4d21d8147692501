/** Code that several browser tests put before their own. */

/**
 * `open(options)` loads `/NAME/` and collects events; `ticks()` counts how often the page got its turn; `turns(promise)` counts the
 * turns that a promise took to settle, up to 1000. Turns, as milliseconds would say more about the machine than about the page.
 */
export const HELPERS = `
  const events = [];
  const open = (name, options = {}) =>
    sdk.load("/" + name + "/", { backend: "wasm", variant: "fp32", onEvent: (event) => events.push(event), ...options });
  const restarts = () => events.filter(({ kind }) => kind === "engine-restarted").map(({ reason }) => reason);
  const ticks = () => {
    let count = 0;
    const timer = setInterval(() => { count++; }, 4);
    return () => (clearInterval(timer), count);
  };
  const turns = async (promise) => {
    let settled = false;
    promise.then(() => { settled = true; }, () => { settled = true; });
    for (let count = 0; ; count++) {
      await new Promise((resolve) => setTimeout(resolve));
      if (settled || count === 1000) return count;
    }
  };
  const heavy = { input: { data: new Float32Array(2048 * 3 * 32 * 32), dims: [2048, 3, 32, 32] } };`;

/** Loads the float model of `/cnn/`; runs one picture; tells what happened. */
export const TRY = `
  const events = [];
  const options = { backend: "wasm", variant: "fp32", onEvent: (event) => events.push(event) };
  const attempt = async () => {
    const model = await sdk.load("/cnn/", options);
    const { label } = await model.run(pixels());
    await model.dispose();
    return label;
  };`;
