/** Code that several browser tests put before their own. */

/** `open(options)` loads `/NAME/` and collects events; `pulse()` measures the longest time in which the page did nothing. */
export const HELPERS = `
  const events = [];
  const open = (name, options = {}) =>
    sdk.load("/" + name + "/", { backend: "wasm", variant: "fp32", onEvent: (event) => events.push(event), ...options });
  const restarts = () => events.filter(({ kind }) => kind === "engine-restarted").map(({ reason }) => reason);
  const pulse = () => {
    let last = performance.now();
    let longest = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }, 4);
    return () => (clearInterval(timer), longest);
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
