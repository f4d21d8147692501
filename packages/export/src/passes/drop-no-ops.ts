/**
 * Drops nodes that change nothing at inference: Identity, Dropout, a Cast to the type that is there, a Transpose that keeps the order,
 * and a Reshape, Flatten, Expand, Slice or Tile whose result has the shape of what went in, all sizes known but the batch.
 */
import type { Node, Pass } from "../graph.ts";
import { rewriting, type Surroundings } from "./rewrite.ts";

/** See the file's header. */
export const dropNoOps: Pass = rewriting((node, around) => {
  const drops = Object.hasOwn(NO_OPS, node.op) && node.domain === "" && NO_OPS[node.op]!(node, around);
  // A mask, if anyone wants one, needs the node.
  return drops && node.outputs.slice(1).every((edge) => edge === "" || around.readers(edge) === 0)
    ? { alias: node.inputs[0]! }
    : undefined;
});

type Test = (node: Node, around: Surroundings) => boolean;

const always: Test = () => true;

/** Dropout in training mode says so by its third input. */
const isInference: Test = ({ inputs }) => inputs[2] === undefined || inputs[2] === "";

const keepsShape: Test = ({ inputs, outputs }, around) => {
  const [before, after] = [around.shape(inputs[0]), around.shape(outputs[0])];
  return (
    before !== undefined &&
    after !== undefined &&
    before.length === after.length &&
    before.every((size, i) => size === after[i])
  );
};

const keepsType: Test = ({ inputs, outputs }, { graph, constant }) => {
  const before =
    constant(inputs[0]) ?? graph.values.get(inputs[0]!) ?? graph.inputs.find(({ name }) => name === inputs[0]);
  return before?.dtype === graph.values.get(outputs[0]!)?.dtype;
};

const keepsOrder: Test = ({ attrs: { perm } }) => perm?.kind === "ints" && perm.value.every((axis, i) => axis === i);

/** A step backwards keeps the shape and turns the values. */
const keepsAll: Test = (node, around) => {
  const steps = node.inputs[4];
  return keepsShape(node, around) && (steps === undefined || steps === "");
};

const NO_OPS: { readonly [op: string]: Test } = {
  Cast: keepsType,
  Dropout: isInference,
  Expand: keepsShape,
  Flatten: keepsShape,
  Identity: always,
  Reshape: keepsShape,
  Slice: keepsAll,
  Squeeze: keepsShape,
  Tile: keepsShape,
  Transpose: keepsOrder,
};
