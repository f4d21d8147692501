import { beforeAll, expect, test } from "vitest";
import { parseConfig } from "../config.ts";
import { augmentImage, viewAt } from "../data/augment.ts";
import { batches } from "../data/batches.ts";
import type { Images } from "../data/dataset.ts";
import { selectEngine } from "../engine/select.ts";
import { type Logits, predictLogits } from "../evaluate.ts";
import { greySquares } from "../grey-squares.test.cases.ts";
import { buildModel } from "../models/index.ts";
import { type ViewStore, viewedTeacher } from "./viewed-teacher.ts";

const COUNT = 90;
const images: Images = {
  count: COUNT,
  shape: [8, 8, 1],
  pixels: Uint8Array.from({ length: COUNT * 64 }, (_, i) => (i * 37) % 256),
  classes: Uint16Array.from({ length: COUNT }, (_, i) => i % 3),
};
const preprocess = greySquares(8);
const augment = {
  shift: 2,
  flip: true,
  erase: 0.5,
  colour: 0,
  mixup: 0,
  cutmix: 0,
  views: { count: 2, seed: 7, float16: false },
};
const all = Uint32Array.from({ length: COUNT }, (_, i) => i);

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

const build = (seed: number): ReturnType<typeof buildModel> =>
  buildModel({ name: "cnn", filters: [4], dense: 0, dropout: 0 }, { shape: [8, 8, 1], classes: 3, seed });

function memory(): ViewStore & { readonly kept: Map<number, Logits> } {
  const kept = new Map<number, Logits>();
  return {
    kept,
    read: async ({ epoch }) => kept.get(epoch),
    write: async ({ epoch }, logits) => void kept.set(epoch, logits),
  };
}

/** The teacher's rows over some epochs, in the order of the images; what it was asked is counted. */
async function rowsOver(epochs: readonly number[], store: ViewStore | undefined, teacher = build(1)) {
  let asked = 0;
  const ask = (some: Images): Logits => {
    asked += some.count;
    return predictLogits(teacher, some, preprocess);
  };
  const look = viewedTeacher({ images, augment, ask, ...(store && { store }) });
  const rows: number[][] = [];
  for (const epoch of epochs) {
    const order = { batchSize: 32, preprocess, augment: { ...augment, ...viewAt(augment, 5, epoch) } };
    const said: number[] = [];
    for await (const batch of batches(images, all, order)) said.push(...(await look(batch)).logits.dataSync());
    rows.push(said);
  }
  return { rows, asked };
}

test("rows are what the teacher says of the augmented image, and a view comes again after as many epochs", async () => {
  const { rows, asked } = await rowsOver([1, 2, 3], memory());
  const view = (epoch: number): number[] => {
    const pixels = new Uint8Array(images.pixels.length);
    for (const sample of all) {
      const range = [sample * 64, (sample + 1) * 64] as const;
      augmentImage(images.pixels.subarray(...range), pixels.subarray(...range), images.shape, augment, {
        seed: 7,
        epoch,
        sample,
      });
    }
    return [...predictLogits(build(1), { ...images, pixels }, preprocess).values];
  };
  for (const [i, epoch] of [1, 2, 1].entries()) {
    for (const [place, value] of view(epoch).entries()) expect(rows[i]![place]).toBeCloseTo(value, 5);
  }
  expect(rows[0]).not.toEqual(rows[1]);
  // Two views whole, and 64 or more images of each of the three again to verify.
  expect(asked).toBeLessThan(2 * COUNT + 3 * COUNT);
});

test("another training reads what the first has kept, and believes only the same teacher's", async () => {
  const store = memory();
  const first = await rowsOver([1, 2], store);
  const second = await rowsOver([1, 2], store);
  expect(second.rows).toEqual(first.rows);
  expect(second.asked).toBeLessThan(first.asked);
  await expect(rowsOver([1], store, build(2))).rejects.toMatchObject({ code: "teacher-cache-mismatch" });
});

test("a table that is cut short is refused", async () => {
  const store = memory();
  await rowsOver([1], store);
  const { classes, values } = store.kept.get(1)!;
  store.kept.set(1, { classes, values: values.subarray(classes) });
  await expect(rowsOver([1], store)).rejects.toMatchObject({ code: "teacher-cache-mismatch" });
});

test("without views every epoch and seed has its own; with them none but the view's counts", () => {
  const { views: _, ...anew } = augment;
  expect(viewAt(anew, 5, 3)).toEqual({ seed: 5, epoch: 3 });
  expect([1, 2, 3, 4].map((epoch) => viewAt(augment, 5, epoch))).toEqual(
    [1, 2, 1, 2].map((epoch) => ({ seed: 7, epoch })),
  );
});

test("views and blends exclude each other", () => {
  const run = (changes: object) => ({
    name: "x",
    data: { kind: "mnist" },
    teacher: { model: { name: "cnn" } },
    student: { model: { name: "cnn" }, training: { augment: { views: { count: 2 }, ...changes } } },
  });
  expect(parseConfig(run({ flip: true })).student.training.augment.views).toEqual({
    count: 2,
    seed: 0,
    float16: false,
  });
  expect(() => parseConfig(run({ mixup: 0.2 }))).toThrow(/views without mixup/);
});
