/**
 * A teacher where epochs come back to the same views of every image, be they some that go round or the images as they are: asked
 * about a view once, by whichever training comes to it first.
 */
import type { AskedTeacher } from "../compiled-training.ts";
import type { AugmentConfig } from "../config.ts";
import { augmentImage, type ViewKey } from "../data/augment.ts";
import type { Images } from "../data/dataset.ts";
import type { Logits } from "../evaluate.ts";
import { cachedTeacher, tableTeacher } from "./teacher-cache.ts";

/** Where what a teacher said of a view lies, for all trainings that see the same one. */
export interface ViewStore {
  /** Nothing where nobody has asked yet. */
  read(view: ViewKey): Promise<Logits | undefined>;
  write(view: ViewKey, logits: Logits): Promise<void>;
}

/** What {@link viewedTeacher} needs to know. */
export interface ViewedTeacherOptions {
  readonly images: Images;
  readonly augment: AugmentConfig;
  /** The teacher itself. */
  readonly ask: (images: Images) => Logits | Promise<Logits>;
  readonly store?: ViewStore;
}

/** The images as they are. */
const AS_THEY_ARE: ViewKey = { seed: 0, epoch: 0 };
/** Images that are made at once: what is in memory beside the set. */
const CHUNK = 2048;

/**
 * A teacher that is looked up, view by view; what is not there yet is computed and kept. A part of what was kept is computed
 * again before it is trusted.
 *
 * @throws DistillateError `teacher-cache-mismatch`, when a batch is asked about.
 */
export function viewedTeacher({ images, augment, ask, store }: ViewedTeacherOptions): AskedTeacher {
  let known: { readonly view: ViewKey; readonly teacher: AskedTeacher } | undefined;
  const learn = async (view: ViewKey): Promise<AskedTeacher> => {
    const kept = await store?.read(view);
    if (kept) return cachedTeacher(kept, images.count, (some) => ask(viewOf(images, augment, view, some)));
    const table = await askAll(view);
    await store?.write(view, table);
    return tableTeacher(table, images.count);
  };
  const askAll = async (view: ViewKey): Promise<Logits> => {
    let said: Logits | undefined;
    for (let start = 0; start < images.count; start += CHUNK) {
      const length = Math.min(CHUNK, images.count - start);
      const some = Uint32Array.from({ length }, (_, i) => start + i);
      const { classes, values } = await ask(viewOf(images, augment, view, some));
      said ??= { classes, values: new Float32Array(images.count * classes) };
      said.values.set(values, start * classes);
    }
    return said!;
  };
  return async (batch) => {
    const view = batch.view ?? AS_THEY_ARE;
    if (known?.view.epoch !== view.epoch) known = { view, teacher: await learn(view) };
    return known.teacher(batch);
  };
}

/** Some images of a set as a view shows them. */
function viewOf(images: Images, augment: AugmentConfig, view: ViewKey, some: Uint32Array): Images {
  const [height, width, channels] = images.shape;
  const length = height * width * channels;
  const pixels = new Uint8Array(some.length * length);
  for (const [place, sample] of some.entries()) {
    const source = images.pixels.subarray(sample * length, (sample + 1) * length);
    augmentImage(source, pixels.subarray(place * length, (place + 1) * length), images.shape, augment, {
      ...view,
      sample,
    });
  }
  return { ...images, count: some.length, pixels, classes: Uint16Array.from(some, (i) => images.classes[i]!) };
}
