/**
 * A Pad with zeros, on spatial axes alone, goes into the pads of the Conv behind it; and into those of an AveragePool without pads of
 * its own, which then counts them.
 *
 * Fires when the pool or Conv alone reads the padded value and names its pads (`auto_pad` left out, or NOTSET).
 */
import { int, ints } from "../attr.ts";
import type { Node, Pass } from "../graph.ts";
import { constantContents } from "../infer/contents.ts";
import { floatsOf } from "../tensor.ts";
import { writerOf } from "./match.ts";
import { rewriting, type Surroundings } from "./rewrite.ts";

/** See the file's header. */
export const foldPad: Pass = rewriting((node, around) => {
  if ((node.op !== "Conv" && node.op !== "AveragePool") || node.domain !== "") return undefined;
  const pad = writerOf("Pad", node.inputs[0], around);
  if (pad === undefined || around.readers(node.inputs[0]!) > 1) return undefined;
  const more = spatialZeros(pad, around);
  const { auto_pad: auto, pads, ceil_mode: ceil, count_include_pad: counts } = node.attrs;
  if (more === undefined || (auto?.kind === "string" && auto.value !== "NOTSET")) return undefined;
  const own = pads?.kind === "ints" ? pads.value : more.map(() => 0);
  if (node.op === "AveragePool") {
    const isPlain = own.every((size) => size === 0) && !(ceil?.kind === "int" && ceil.value !== 0);
    // A window must not lie in the padding alone; specs ask for pads below the kernel.
    const kernel = node.attrs.kernel_shape;
    const fits = kernel?.kind === "ints" && more.every((size, i) => size < kernel.value[i % kernel.value.length]!);
    if (!(isPlain && fits) || counts?.kind === "floats") return undefined;
  }
  const attrs = {
    ...node.attrs,
    pads: ints(own.map((size, i) => size + more[i]!)),
    ...(node.op === "AveragePool" && { count_include_pad: int(1) }),
  };
  return { nodes: [{ ...node, inputs: [pad.inputs[0]!, ...node.inputs.slice(1)], attrs }] };
});

/** Begin and end of the spatial axes, when it is zeros that a Pad adds there, and nothing elsewhere. */
function spatialZeros(pad: Node, around: Surroundings): readonly number[] | undefined {
  const { mode } = pad.attrs;
  const sizes = around.constant(pad.inputs[1]);
  const value = around.constant(pad.inputs[2]);
  if ((mode?.kind === "string" && mode.value !== "constant") || sizes === undefined || (pad.inputs[3] ?? "") !== "")
    return undefined;
  if ((pad.inputs[2] ?? "") !== "" && !(value?.dtype === "float32" && floatsOf(value).every((x) => x === 0)))
    return undefined;
  const list = constantContents(sizes)!;
  const rank = list.length / 2;
  const [begin, end] = [list.slice(0, rank), list.slice(rank)];
  const isSpatial = [begin, end].every((part) => part[0] === 0 && part[1] === 0 && part.every((size) => size >= 0));
  return isSpatial && rank > 2 ? [...begin.slice(2), ...end.slice(2)] : undefined;
}
