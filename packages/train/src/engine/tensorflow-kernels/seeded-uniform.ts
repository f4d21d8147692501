/**
 * Uniform numbers in [0, 1) as a function of two integers: TensorFlow's StatelessRandomUniform, a counter-based generator (Salmon
 * et al. 2011, Philox 4x32-10), which gives the same numbers on any number of threads.
 */
import * as tf from "@tensorflow/tfjs-core";
import { DTYPES } from "../capture/binding.ts";
import { SEEDED_UNIFORM } from "../seeded-uniform.ts";
import { type TensorflowKernel, typeAttr } from "./kernel.ts";

/** Draws {@link seededUniform} inside of TensorFlow. */
export const seededUniform: TensorflowKernel = {
  name: SEEDED_UNIFORM,
  run: ({ inputs, attrs, backend }) =>
    tf.tidy(() => {
      const { shape, seed } = attrs as { readonly shape: number[]; readonly seed: number };
      const key = tf.stack([tf.scalar(seed, "int32"), inputs.step!]);
      const types = [
        typeAttr(backend, "dtype"),
        typeAttr(backend, "T", DTYPES.int32),
        typeAttr(backend, "Tseed", DTYPES.int32),
      ];
      return backend.executeSingleOutput("StatelessRandomUniform", types, [tf.tensor1d(shape, "int32"), key]);
    }),
};
