/** What every loader returns: pixels as bytes, classes as numbers, and what had to be left out. */

/** Images of one size, one after the other. */
export interface Images {
  readonly count: number;
  /** Height, width, channels. */
  readonly shape: readonly [height: number, width: number, channels: number];
  /** `count * height * width * channels` bytes, NHWC. */
  readonly pixels: Uint8Array;
  /** Index into the labels, one an image, or {@link NO_LABEL}. */
  readonly classes: Uint16Array;
  /** What their files are called, relative to the folder, with slashes; absent where images are no files. */
  readonly names?: readonly string[];
}

/** The class of an image of which nobody knows it. */
export const NO_LABEL = 0xffff;

/** Something that a loader skipped or did of its own accord; it ends in the report. */
export interface DataNote {
  readonly code: string;
  readonly message: string;
}

/** A data set in memory. */
export interface Dataset {
  readonly name: string;
  readonly labels: readonly string[];
  readonly train: Images;
  readonly test: Images;
  /** More images of the training part's size, without labels. */
  readonly unlabelled?: Images;
  /** SHA-256 over labels, shapes, pixels and classes: equal data, equal hash. */
  readonly hash: string;
  readonly notes: readonly DataNote[];
}

/** What loaders report while they work. */
export type DataEvent =
  | { readonly kind: "progress"; readonly what: string; readonly done: number; readonly total: number }
  | { readonly kind: "note"; readonly note: DataNote };

/** What every loader is handed. */
export interface LoadOptions {
  /** Where decoded or downloaded sets may be kept. */
  readonly cacheDir: string;
  readonly seed: number;
  readonly onEvent?: (event: DataEvent) => void;
}
