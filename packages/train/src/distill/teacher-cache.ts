/**
 * A teacher's logits for every training image, computed once: what students read where every epoch sees the same view of an
 * image, and what all seeds and sweeps share. A part of it is computed again before it is trusted.
 */
import { DistillateError } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import type { AskedTeacher, Teacher } from "../compiled-training.ts";
import type { Logits } from "../evaluate.ts";
import { applyTapped, type TappedModel } from "./taps.ts";

const CHECKED = 64;
/** Relative to the largest logit: what another engine or batch size may round differently. */
const TOLERANCE = 1e-3;

/**
 * A teacher that is looked up.
 *
 * @param count - Images of the set.
 * @param ask - The teacher itself, for some images of the set.
 * @throws DistillateError `teacher-cache-mismatch` when the table has another size, or when the teacher itself says otherwise on
 * one of 64 images spread over the set.
 */
export async function cachedTeacher(
  table: Logits,
  count: number,
  ask: (images: Uint32Array) => Logits | Promise<Logits>,
): Promise<AskedTeacher> {
  const teacher = tableTeacher(table, count);
  const { values, classes } = table;
  const step = Math.max(1, Math.floor(count / CHECKED));
  const checked = Uint32Array.from({ length: Math.min(CHECKED, count) }, (_, i) => i * step);
  const again = (await ask(checked)).values;
  const size = again.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
  for (const [place, image] of checked.entries()) {
    for (let c = 0; c < classes; c++) {
      const [found, expected] = [values[image * classes + c]!, again[place * classes + c]!];
      if (!(Math.abs(found - expected) <= TOLERANCE * size)) {
        throw mismatch(`${found} for class ${c} of image ${image}, where the teacher now says ${expected}`);
      }
    }
  }
  return teacher;
}

/**
 * A teacher of which nothing is there but its table.
 *
 * @throws DistillateError `teacher-cache-mismatch` when the table has another size.
 */
export function tableTeacher({ values, classes }: Logits, count: number): AskedTeacher {
  const rows = values.length / classes;
  if (rows !== count) throw mismatch(`${rows} rows, expected ${count}, one an image`);
  return ({ indices, size }) => {
    const said = new Float32Array(size * classes);
    for (const [place, image] of indices.entries()) {
      said.set(values.subarray(image * classes, (image + 1) * classes), place * classes);
    }
    return { logits: tf.tensor2d(said, [size, classes]) };
  };
}

/**
 * Several teachers as one: the weighted mean of their logits, which is the geometric mean of their probabilities (Hinton 2015,
 * arXiv 1503.02531, section 2) at any temperature.
 */
export function meanTeacher(teachers: readonly { readonly teacher: Teacher; readonly weight: number }[]): AskedTeacher {
  const total = teachers.reduce((sum, { weight }) => sum + weight, 0);
  const asked = teachers.map(({ teacher }) => (typeof teacher === "function" ? teacher : askedModel(teacher)));
  return async (batch) => {
    const said: tf.Tensor2D[] = [];
    for (const ask of asked) said.push((await ask(batch)).logits);
    const logits = tf.tidy(() =>
      tf.addN(said.map((each, i) => tf.mul(each, teachers[i]!.weight / total))),
    ) as tf.Tensor2D;
    tf.dispose(said);
    return { logits };
  };
}

/** A network that is asked like any other teacher, one batch after the other. */
function askedModel(teacher: TappedModel): AskedTeacher {
  const shape = teacher.model.inputs[0]!.shape.slice(1) as number[];
  return ({ inputs, size }) => ({
    logits: tf.tidy(() => applyTapped(teacher, tf.tensor(inputs, [size, ...shape]), false).logits),
  });
}

function mismatch(found: string): DistillateError {
  return new DistillateError({
    code: "teacher-cache-mismatch",
    message: `the cached teacher logits have ${found}`,
    hint: "Delete the teacher's directory in the run and run again: the teacher and its cache belong together.",
  });
}
