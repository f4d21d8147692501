import type { DecodedModel } from "@distillate/export";
import { splitTrainValidation } from "@distillate/train";
import { loadData } from "../pipeline/load-data.ts";
import { imageFeeds } from "../pipeline/onnx-logits.ts";
import type { CalibrationArgs, CalibrationSet } from "./calibration-set.ts";
import { imageConfigOf } from "./image-config.ts";
import { preprocessOf } from "./preprocess-flags.ts";
import { batchOf, wholeBatches } from "./sample-batches.ts";

/** The training part of a data set, as a model takes it. */
export async function imageSet(model: DecodedModel, path: string, args: CalibrationArgs): Promise<CalibrationSet> {
  const preprocess = preprocessOf(model, path, args);
  const config = await imageConfigOf(args, preprocess);
  const { train } = await loadData(config);
  const split = splitTrainValidation(train.classes, config.data.validation, config.seeds[0]!);
  const [input] = model.graph.inputs;
  const size = batchOf(model.graph);
  const chosen = split.train.subarray(0, wholeBatches(Math.min(args.samples, split.train.length), input!));
  const held = split.validation.subarray(0, wholeBatches(split.validation.length, input!));
  return {
    samples: () => imageFeeds(train, preprocess, input!.name, chosen, size),
    what: "images",
    labelled: {
      samples: () => imageFeeds(train, preprocess, input!.name, held, size),
      classes: Array.from(held, (sample) => train.classes[sample]!),
    },
    close: async () => undefined,
  };
}
