/** What a layer multiplies its weights by: rows of inputs, or the patches under a kernel at some places of an image. */
import type { Node, Tensor } from "../../graph.ts";
import { floatsOf } from "../../tensor.ts";

/** The inputs of a layer's sums: `groups` apart, `size` of each, in the order of its weights. */
export interface PatchShape {
  readonly groups: number;
  readonly size: number;
}

/** Golden ratio: the places of any number of draws lie evenly. */
const TURN = 0.6180339887498949;

/** The shape of a layer's patches; undefined for a layer that has none of this kind. */
export function patchShape(node: Node, weight: Tensor): PatchShape | undefined {
  if (node.op === "Gemm") return { groups: 1, size: weight.shape[isTransposed(node) ? 1 : 0]! };
  if (node.op !== "Conv" || weight.shape.length !== 4) return undefined;
  return { groups: number(node, "group"), size: weight.shape.slice(1).reduce((product, size) => product * size, 1) };
}

/** Shows `most` patches of each sample, one group after the other; the array shown is used again. */
export function eachPatch(
  node: Node,
  weight: Tensor,
  input: Tensor,
  most: number,
  see: (patch: Float32Array, group: number) => void,
): void {
  const { groups, size } = patchShape(node, weight)!;
  const values = floatsOf(input);
  const batch = input.shape[0]!;
  if (node.op === "Gemm") {
    for (let n = 0; n < batch; n++) see(values.subarray(n * size, (n + 1) * size), 0);
    return;
  }
  const [channels, height, width] = input.shape.slice(1) as [number, number, number];
  const [kernelHeight, kernelWidth] = weight.shape.slice(2) as [number, number];
  const rows = axisOf(node, 0, height, kernelHeight);
  const columns = axisOf(node, 1, width, kernelWidth);
  const places = rows.count * columns.count;
  const depth = channels / groups;
  const patch = new Float32Array(size);
  for (let n = 0; n < batch; n++) {
    for (let draw = 0; draw < Math.min(most, places); draw++) {
      const place = places <= most ? draw : Math.floor((((n * most + draw) * TURN) % 1) * places);
      const top = Math.floor(place / columns.count) * rows.stride - rows.pad;
      const left = (place % columns.count) * columns.stride - columns.pad;
      for (let group = 0; group < groups; group++) {
        let at = 0;
        for (let c = 0; c < depth; c++) {
          const base = (n * channels + group * depth + c) * height * width;
          for (let i = 0; i < kernelHeight; i++) {
            const y = top + i * rows.dilation;
            for (let j = 0; j < kernelWidth; j++) {
              const x = left + j * columns.dilation;
              const inside = y >= 0 && y < height && x >= 0 && x < width;
              patch[at++] = inside ? values[base + y * width + x]! : 0;
            }
          }
        }
        see(patch, group);
      }
    }
  }
}

interface Axis {
  /** Places of the kernel along it. */
  readonly count: number;
  readonly stride: number;
  readonly dilation: number;
  /** Zeros before the first value. */
  readonly pad: number;
}

function axisOf(node: Node, axis: 0 | 1, size: number, taps: number): Axis {
  const [stride, dilation] = [list(node, "strides")?.[axis] ?? 1, list(node, "dilations")?.[axis] ?? 1];
  const reach = dilation * (taps - 1) + 1;
  const auto = node.attrs.auto_pad?.kind === "string" ? node.attrs.auto_pad.value : "NOTSET";
  if (auto.startsWith("SAME")) {
    const count = Math.ceil(size / stride);
    const total = Math.max(0, (count - 1) * stride + reach - size);
    return { count, stride, dilation, pad: auto === "SAME_LOWER" ? Math.ceil(total / 2) : Math.floor(total / 2) };
  }
  const pads = auto === "VALID" ? undefined : list(node, "pads");
  const [before, after] = [pads?.[axis] ?? 0, pads?.[axis + 2] ?? 0];
  return { count: Math.floor((size + before + after - reach) / stride) + 1, stride, dilation, pad: before };
}

function isTransposed({ attrs: { transB } }: Node): boolean {
  return transB?.kind === "int" && transB.value === 1;
}

function number({ attrs }: Node, name: string): number {
  const attr = attrs[name];
  return attr?.kind === "int" ? attr.value : 1;
}

function list({ attrs }: Node, name: string): readonly number[] | undefined {
  const attr = attrs[name];
  return attr?.kind === "ints" ? attr.value : undefined;
}
