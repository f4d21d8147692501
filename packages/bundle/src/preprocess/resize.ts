/**
 * Antialiased resize with the triangle filter, separable.
 *
 * The filter is stretched by the reduction factor when an image shrinks, so that every source pixel counts; pixel centres
 * lie at half-integers. This is what Pillow's BILINEAR and an HTML canvas of high quality do. Weights are normalised, so
 * that a constant image stays constant; sums run in double precision and are rounded once an axis.
 */

/** Interleaved bytes with their size. */
export interface ByteImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** A part of an image, in pixels; may be fractional. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Resizes a region of an image to `size`; bytes in, bytes out. */
export function resizeBytes(
  image: ByteImage,
  region: Region,
  size: { readonly width: number; readonly height: number },
): Uint8Array {
  const { channels } = image;
  const columns = taps(image.width, region.left, region.width, size.width);
  const rows = taps(image.height, region.top, region.height, size.height);

  const narrow = new Float64Array(image.height * size.width * channels);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const { first, weights } = columns[x]!;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) {
          sum += weights[k]! * image.data[(y * image.width + first + k) * channels + c]!;
        }
        narrow[(y * size.width + x) * channels + c] = sum;
      }
    }
  }

  const stride = size.width * channels;
  const result = new Uint8Array(size.height * stride);
  for (let y = 0; y < size.height; y++) {
    const { first, weights } = rows[y]!;
    for (let i = 0; i < stride; i++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * narrow[(first + k) * stride + i]!;
      result[y * stride + i] = Math.min(255, Math.max(0, Math.round(sum)));
    }
  }
  return result;
}

interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
}

/** For each target pixel the source pixels it sees and their weights. */
function taps(length: number, start: number, extent: number, count: number): readonly Taps[] {
  const ratio = extent / count;
  const radius = Math.max(1, ratio);
  return Array.from({ length: count }, (_, index) => {
    const centre = start + (index + 0.5) * ratio;
    const first = Math.min(length - 1, Math.max(0, Math.floor(centre - radius + 0.5)));
    const last = Math.max(first, Math.min(length - 1, Math.ceil(centre + radius - 0.5) - 1));
    const raw = Array.from({ length: last - first + 1 }, (_, k) =>
      Math.max(0, 1 - Math.abs((first + k + 0.5 - centre) / radius)),
    );
    const sum = raw.reduce((total, weight) => total + weight, 0);
    return { first, weights: sum === 0 ? [1] : raw.map((weight) => weight / sum) };
  });
}
