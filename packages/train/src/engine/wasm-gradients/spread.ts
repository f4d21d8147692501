/** Puts zeros between the rows and columns of a map: what a stride skipped. */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { engine, type Tensor4D, type TensorInfo } from "@tensorflow/tfjs-core";
import { heapViews } from "./kernel.ts";

/**
 * `map` `[N, H, W, C]` at every `strideHeight`-th row and `strideWidth`-th column of zeros of `height` by `width`, from the first
 * on; rows and columns that do not fit are left out.
 */
export function spread(
  backend: BackendWasm,
  map: Tensor4D,
  [strideHeight, strideWidth]: readonly [number, number],
  [height, width]: readonly [number, number],
): Tensor4D {
  const [batch, rows, columns, channels] = map.shape;
  const info: TensorInfo = map;
  const { output, out, views } = heapViews(backend, [batch, height, width, channels], { map: info });
  const source = views.map;
  out.fill(0);
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < rows && y * strideHeight < height; y++) {
      let from = (n * rows + y) * columns * channels;
      let to = (n * height + y * strideHeight) * width * channels;
      for (let x = 0; x < columns && x * strideWidth < width; x++) {
        for (let c = 0; c < channels; c++) out[to + c] = source[from + c]!;
        from += channels;
        to += strideWidth * channels;
      }
    }
  }
  return engine().makeTensorFromTensorInfo(output) as Tensor4D;
}
