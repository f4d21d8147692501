import type { Feeds, Graph, Tensor } from "../../graph.ts";
import type { Calibration } from "./observe.ts";

/** Whole tensors of a batch are held at once, of all layers: few samples at a time. */
const ROWS = 32;

/** The samples in batches that are small enough to look at every tensor; as they come, where a model says how large a batch is. */
export async function* smallBatches({ inputs }: Graph, samples: Calibration["samples"]): AsyncGenerator<Feeds> {
  const isOpen = inputs.every(({ shape: [batch] }) => typeof batch === "string");
  for await (const feeds of samples()) {
    const rows = Object.values(feeds)[0]?.shape[0] ?? 1;
    if (!isOpen || rows <= ROWS) {
      yield feeds;
      continue;
    }
    for (let from = 0; from < rows; from += ROWS) {
      const to = Math.min(rows, from + ROWS);
      yield Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, slice(tensor, from, to)] as const));
    }
  }
}

function slice({ dtype, shape: [rows = 1, ...rest], bytes }: Tensor, from: number, to: number): Tensor {
  const row = bytes.byteLength / rows;
  // A copy: views need the alignment that a row in the middle may not have.
  const part = bytes.slice(from * row, to * row);
  return { dtype, shape: [to - from, ...rest], bytes: part };
}
