/** Pictures, in every form a page has them. */
import { DistillateError, type Pixels } from "@distillate/bundle";
import type { EngineImage } from "../engine/engine.ts";

/** Decoded pixels as a caller may hold them; 1, 3 or 4 values a pixel. */
export interface RawPixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** What counts as a picture. Bytes and Blobs are encoded files: JPEG, PNG, WebP, … */
export type ImageInput =
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | HTMLVideoElement
  | OffscreenCanvas
  | VideoFrame
  | SVGImageElement
  | Blob
  | Uint8Array
  | ArrayBuffer
  | RawPixels;

/** A picture for the engine, and what to let go of afterwards. */
export interface TakenImage {
  readonly image: EngineImage;
  readonly release: () => void;
}

/** Elements that only the page's own thread can read. */
const DRAWABLE = [
  "HTMLImageElement",
  "HTMLCanvasElement",
  "HTMLVideoElement",
  "OffscreenCanvas",
  "VideoFrame",
  "SVGImageElement",
] as const;

/** Takes a picture now, also when it is computed later: a video goes on. `undefined` when it is none. */
export async function takeImage(input: unknown): Promise<TakenImage | undefined> {
  const kept = (image: EngineImage): TakenImage => ({ image, release: () => {} });
  if (isA("ImageBitmap", input)) return kept({ kind: "bitmap", bitmap: input as ImageBitmap });
  if (DRAWABLE.some((name) => isA(name, input))) {
    const bitmap = await createImageBitmap(input as ImageBitmapSource, { premultiplyAlpha: "none" }).catch(
      (cause: unknown) => {
        throw new DistillateError({
          code: "input-unsupported",
          message: `the ${(input as object).constructor.name} shows no picture yet: ${(cause as Error).message}`,
          hint: "Wait until it has loaded: `await image.decode()`, or the video's event `loadeddata`.",
          cause,
        });
      },
    );
    return { image: { kind: "bitmap", bitmap }, release: () => bitmap.close() };
  }
  if (isA("Blob", input)) return kept({ kind: "encoded", bytes: input as Blob });
  if (input instanceof Uint8Array && !(input instanceof Uint8ClampedArray))
    return kept({ kind: "encoded", bytes: input });
  if (input instanceof ArrayBuffer) return kept({ kind: "encoded", bytes: new Uint8Array(input) });
  const pixels = asPixels(input);
  return pixels && kept({ kind: "pixels", pixels });
}

function asPixels(input: unknown): Pixels | undefined {
  const { data, width, height } = (input ?? {}) as Partial<RawPixels>;
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) return undefined;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width! < 1 || height! < 1) return undefined;
  const channels = data.length / (width! * height!);
  if (channels !== 1 && channels !== 3 && channels !== 4) return undefined;
  return { data, width: width!, height: height!, channels };
}

/** `instanceof` for classes that this place may not have. */
function isA(name: string, input: unknown): boolean {
  const type = (globalThis as Record<string, unknown>)[name];
  return typeof type === "function" && input instanceof type;
}
