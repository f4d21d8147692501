import type { PreprocessSpec } from "@distillate/bundle";
import { expect, test } from "vitest";
import type { Images } from "../../data/dataset.ts";
import { checkTeacher } from "./check-teacher.ts";

const COUNT = 100;
const preprocess: PreprocessSpec = {
  ...{ kind: "image", width: 1, height: 1, channels: 1, fit: "stretch", layout: "nhwc" },
  ...{ scale: 1, mean: [0], std: [1] },
};

/** Checks a teacher that gets so many of a hundred images right, and as many as `other` says by any other preprocessing. */
function check(classes: number, right: number, other = right): Promise<void> {
  const images: Images = {
    count: COUNT,
    shape: [1, 1, 1],
    pixels: new Uint8Array(COUNT),
    classes: Uint16Array.from({ length: COUNT }, (_, i) => i % classes),
  };
  const logits = async (_images: Images, sample = new Uint32Array(), spec = preprocess) => {
    const values = new Float32Array(sample.length * classes);
    for (const [row, image] of sample.entries()) {
      const isRight = row < (spec === preprocess ? right : other);
      values[row * classes + ((images.classes[image]! + (isRight ? 0 : 1)) % classes)] = 1;
    }
    return { classes, values };
  };
  const sample = Uint32Array.from({ length: COUNT }, (_, i) => i);
  return checkTeacher("teacher.onnx", { preprocess, logits }, images, sample);
}

test.each([
  [2, 59, 60],
  [3, 43, 44],
  [10, 19, 20],
])("of %i classes, %i %% are hardly more than chance and %i %% are", async (classes, chance, more) => {
  await expect(check(classes, chance)).rejects.toMatchObject({ code: "teacher-too-weak" });
  await check(classes, more);
});

test("another preprocessing is named where it is better and knows the data, not where both guess", async () => {
  await expect(check(10, 30, 80)).rejects.toMatchObject({
    code: "teacher-preprocess",
    message: expect.stringMatching(/gets 30\.0 % right .*, and 80\.0 % right /),
  });
  await expect(check(10, 11, 17)).rejects.toMatchObject({ code: "teacher-too-weak" });
  await check(10, 80, 30);
});
