/** Comparisons, logic and choice. */
import type { Edge } from "../../graph.ts";
import { alike, cast } from "./cast.ts";
import { together } from "./layout.ts";
import type { OpLowering, OpTable } from "./op-node.ts";
import type { Traced, Tracer } from "./trace.ts";

const compare =
  (op: string, isNegated = false): OpLowering =>
  ({ name }, inputs, build) => {
    const { edges, like } = together(comparable(alike(inputs, build), build), build);
    const edge = build.add(op, isNegated ? `${name}/same` : name, edges);
    return { ...like, edge: isNegated ? build.add("Not", name, [edge]) : edge };
  };

/** ONNX orders numbers only. */
function comparable(values: readonly Traced[], build: Tracer): readonly Traced[] {
  return values.map((value) => (build.typeOf(value.edge) === "bool" ? cast(value, "int32", build) : value));
}

const logic =
  (op: string): OpLowering =>
  ({ name }, inputs, build) => {
    const { edges, like } = together(
      inputs.map((value) => cast(value, "bool", build)),
      build,
    );
    return { ...like, edge: build.add(op, name, edges) };
  };

const select: OpLowering = ({ name }, [condition, a, b], build) => {
  const values = [cast(condition!, "bool", build), ...alike([a!, b!], build)];
  const { edges, like } = together(values, build);
  return { ...like, edge: build.add("Where", name, edges as Edge[]) };
};

/** Comparisons, logic and choice. */
export const LOGICAL: OpTable = {
  BitwiseAnd: {
    refused: "ONNX has it on whole numbers from opset 18 on only, and no kernel for int32 is common",
    hint: "Compare and multiply instead.",
  },
  Equal: compare("Equal"),
  Greater: compare("Greater"),
  GreaterEqual: compare("GreaterOrEqual"),
  Less: compare("Less"),
  LessEqual: compare("LessOrEqual"),
  LogicalAnd: logic("And"),
  LogicalNot: logic("Not"),
  LogicalOr: logic("Or"),
  NotEqual: compare("Equal", true),
  Select: select,
  SelectV2: select,
};
