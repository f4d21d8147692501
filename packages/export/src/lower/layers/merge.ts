/** Layers with several inputs. */
import { type Lowering, unsupported } from "../context.ts";
import { edgeShape } from "./activation.ts";

/** Add, of two or more inputs of one shape. */
export const add: Lowering = (layer, inputs, builder) => {
  const [first, ...rest] = inputs as [(typeof inputs)[0], ...typeof inputs];
  if (rest.some(({ shape }) => shape.join() !== first!.shape.join())) {
    throw unsupported(layer, "its inputs have different shapes", "Give it inputs of one shape.");
  }
  let sum = first!.edge;
  for (const [index, next] of rest.entries()) {
    const name = index === rest.length - 1 ? layer.name : `${layer.name}/${index + 1}`;
    sum = builder.add("Add", name, [sum, next.edge], {}, edgeShape(first!));
  }
  return { ...first!, edge: sum };
};

/** Concatenate along the channels. */
export const concatenate: Lowering = (layer, inputs, builder) => {
  const { shape } = inputs[0]!;
  const axis = Number(layer.config.axis ?? -1);
  if ((axis !== -1 && axis !== shape.length) || inputs.some(({ flattenedFrom }) => flattenedFrom !== undefined)) {
    throw unsupported(
      layer,
      "it joins another axis than the channels",
      "Concatenate on the last axis, before any Flatten.",
    );
  }
  const channels = inputs.reduce((sum, input) => sum + input.shape.at(-1)!, 0);
  const joined = { shape: [...shape.slice(0, -1), channels], edge: "" };
  const edges = inputs.map(({ edge }) => edge);
  return {
    ...joined,
    edge: builder.add("Concat", layer.name, edges, { axis: { kind: "int", value: 1 } }, edgeShape(joined)),
  };
};
