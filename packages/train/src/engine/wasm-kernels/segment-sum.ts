/** UnsortedSegmentSum, the gradient of a gather: out[id[i]] += x[i], as a scatter-add over the heap. Negative ids are left out. */
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { heapViews, type KernelCall, type WasmKernel } from "./kernel.ts";

export const segmentSum: WasmKernel = {
  name: "UnsortedSegmentSum",
  run({ inputs, attrs, backend }: KernelCall<{ readonly numSegments: number }>): TensorInfo {
    const { x: input, segmentIds } = inputs as { x: TensorInfo; segmentIds: TensorInfo };
    const tail = input.shape.slice(segmentIds.shape.length);
    const { output, out, views } = heapViews(backend, [attrs.numSegments, ...tail], { x: input });
    const ids = backend.typedArrayFromHeap(segmentIds) as Int32Array;
    const row = util.sizeFromShape(tail);
    out.fill(0);
    for (let i = 0; i < ids.length; i++) {
      const to = ids[i]! * row;
      if (to < 0) continue;
      for (let k = 0; k < row; k++) out[to + k]! += views.x[i * row + k]!;
    }
    return output;
  },
};
