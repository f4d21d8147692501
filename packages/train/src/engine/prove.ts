/**
 * Runs in a process of its own: loads the engine named on the command line, takes the gradient of a convolution and sends what
 * came of it. Loading a native library may end a process; this one may.
 */
import * as tf from "@tensorflow/tfjs-core";
import { type EngineName, selectEngine } from "./select.ts";

const engine = process.argv[2] as EngineName;

async function prove(): Promise<string> {
  const { version } = await selectEngine({ engine });
  const filter = tf.ones([2, 2, 1, 1]) as tf.Tensor4D;
  const gradient = tf.grad((x) => tf.sum(tf.square(tf.conv2d(x as tf.Tensor4D, filter, 1, "valid"))));
  // Each of the 3 x 3 inputs of ones lies in 1, 2 or 4 windows of sum 4: 2 * 4 * 1, 2 or 4.
  const found = gradient(tf.ones([1, 3, 3, 1]))
    .dataSync()
    .join();
  const expected = "8,16,8,16,32,16,8,16,8";
  if (found !== expected) throw new Error(`its gradient of a convolution is ${found}, expected ${expected}`);
  return version;
}

prove().then(
  (version) => process.send?.({ ok: true, detail: `version ${version}, gradient right` }, () => process.exit(0)),
  (error: unknown) => process.send?.({ ok: false, detail: (error as Error).message }, () => process.exit(0)),
);
