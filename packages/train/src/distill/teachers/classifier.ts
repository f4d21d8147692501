/** A classifier from elsewhere, whatever it runs in: prepared images in, one row of numbers an image out. */
export interface Classifier {
  readonly format: "LayersModel" | "GraphModel" | "ONNX";
  /** Where a file says how large its input is; a side that it leaves open is as the data are. */
  readonly input: {
    readonly width?: number;
    readonly height?: number;
    readonly channels: number;
    readonly layout: "nchw" | "nhwc";
  };
  /** Trainable or not; absent where the format does not tell. */
  readonly parameters?: number;
  /** Bytes of its files. */
  readonly bytes: number;
  /** @param images - `count` images in the input's layout, one after the other. @returns `count` rows. */
  run(images: Float32Array, shape: readonly [number, number, number, number]): Promise<Float32Array>;
  dispose(): void;
}

/** The size of an image input, from its dimensions; batch first, and channels where a 1 or a 3 stands. */
export function inputOf(
  dims: readonly (number | null | undefined)[],
  prefer: "nchw" | "nhwc",
): Classifier["input"] | undefined {
  if (dims.length !== 4) return undefined;
  const isChannels = (dim: number | null | undefined): dim is number => dim === 1 || dim === 3;
  const order = prefer === "nchw" ? (["nchw", "nhwc"] as const) : (["nhwc", "nchw"] as const);
  const layout = order.find((each) => isChannels(dims[each === "nchw" ? 1 : 3]));
  if (layout === undefined) return undefined;
  const [height, width] = layout === "nchw" ? [dims[2], dims[3]] : [dims[1], dims[2]];
  return {
    channels: dims[layout === "nchw" ? 1 : 3]!,
    layout,
    ...(typeof height === "number" && height > 0 && { height }),
    ...(typeof width === "number" && width > 0 && { width }),
  };
}
