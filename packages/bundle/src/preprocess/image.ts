/**
 * From decoded pixels to a model's input: crop, antialiased resize, channels, normalisation, layout.
 *
 * Decoding differs from place to place (sharp in Node, the browser's own); everything after it is this code, for training,
 * calibration and devices alike, so that a model sees the same numbers everywhere.
 */
import { resizeBytes } from "./resize.ts";

/** How images become input; data, not code, and part of every manifest. */
export interface ImagePreprocess {
  readonly kind: "image";
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** `stretch` ignores the aspect ratio, `cover` cuts off what is too long, `contain` pads with black. */
  readonly fit: "stretch" | "cover" | "contain";
  /** Pixels 0..255 are multiplied by this first. */
  readonly scale: number;
  /** Then, per channel: subtract `mean`, divide by `std`. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly layout: "nchw" | "nhwc";
}

/** Decoded pixels: rows from the top, channels interleaved; 1 (gray), 3 (RGB) or 4 (RGBA, alpha ignored) of them. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** One image as a model's input: `height * width * channels` floats in the layout that the spec says. */
export function preprocessImage(image: Pixels, spec: ImagePreprocess): Float32Array {
  const result = new Float32Array(spec.width * spec.height * spec.channels);
  normalizeImage(fitImage(image, spec), spec, result, 0);
  return result;
}

/** The first half: pixels of the right size and channel count, still bytes. This is what a cached data set holds. */
export function fitImage(
  image: Pixels,
  spec: Pick<ImagePreprocess, "width" | "height" | "channels" | "fit">,
): Uint8Array {
  const { width, height } = spec;
  const source = withChannels(image, spec.channels);
  const whole = { left: 0, top: 0, width: image.width, height: image.height };
  const resized = (to: { width: number; height: number }, region = whole): Uint8Array =>
    resizeBytes({ data: source, width: image.width, height: image.height, channels: spec.channels }, region, to);
  if (spec.fit === "stretch") return resized(spec);

  const ratio = Math[spec.fit === "cover" ? "max" : "min"](width / image.width, height / image.height);
  if (spec.fit === "cover") {
    const region = { width: width / ratio, height: height / ratio };
    return resized(spec, {
      left: (image.width - region.width) / 2,
      top: (image.height - region.height) / 2,
      ...region,
    });
  }
  const inner = {
    width: Math.max(1, Math.round(image.width * ratio)),
    height: Math.max(1, Math.round(image.height * ratio)),
  };
  return centred(resized(inner), inner, spec);
}

/** What becomes of a byte b of channel c: b factor[c] - shift[c]. */
export interface Normalization {
  readonly factor: readonly number[];
  readonly shift: readonly number[];
}

/** Multiplying by `scale`, subtracting `mean` and dividing by `std` as one product and one difference a byte. */
export function normalizationOf({ scale, mean, std }: Pick<ImagePreprocess, "scale" | "mean" | "std">): Normalization {
  return { factor: std.map((each) => scale / each), shift: mean.map((each, channel) => each / std[channel]!) };
}

/** The second half: bytes `[height, width, channels]` to normalised floats at `offset` of `target`. */
export function normalizeImage(
  pixels: Uint8Array,
  spec: Pick<ImagePreprocess, "width" | "height" | "channels" | "scale" | "mean" | "std" | "layout">,
  target: Float32Array,
  offset: number,
): void {
  const { channels, layout } = spec;
  const area = spec.width * spec.height;
  const normalization = normalizationOf(spec);
  for (let channel = 0; channel < channels; channel++) {
    const factor = normalization.factor[channel]!;
    const shift = normalization.shift[channel]!;
    const step = layout === "nchw" ? 1 : channels;
    let to = layout === "nchw" ? offset + channel * area : offset + channel;
    for (let from = channel; from < area * channels; from += channels, to += step) {
      target[to] = pixels[from]! * factor - shift;
    }
  }
}

/** Gray by the luma weights of ITU-R BT.601, as JPEG and most decoders use them. */
function withChannels(image: Pixels, channels: 1 | 3): Uint8Array {
  const { data } = image;
  const area = image.width * image.height;
  if (image.channels === channels) return new Uint8Array(data.buffer, data.byteOffset, area * channels);
  const result = new Uint8Array(area * channels);
  for (let i = 0; i < area; i++) {
    const from = i * image.channels;
    if (channels === 1) {
      result[i] = Math.round(0.299 * data[from]! + 0.587 * data[from + 1]! + 0.114 * data[from + 2]!);
    } else {
      for (let c = 0; c < 3; c++) result[i * 3 + c] = data[image.channels === 1 ? from : from + c]!;
    }
  }
  return result;
}

function centred(
  inner: Uint8Array,
  size: { readonly width: number; readonly height: number },
  outer: { readonly width: number; readonly height: number; readonly channels: number },
): Uint8Array {
  const result = new Uint8Array(outer.width * outer.height * outer.channels);
  const left = Math.floor((outer.width - size.width) / 2);
  const top = Math.floor((outer.height - size.height) / 2);
  const row = size.width * outer.channels;
  for (let y = 0; y < size.height; y++) {
    result.set(inner.subarray(y * row, (y + 1) * row), ((top + y) * outer.width + left) * outer.channels);
  }
  return result;
}
