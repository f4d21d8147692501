/** Types: what tfjs converts by itself when values of different types meet, ONNX has to be told. */
import { int } from "../../attr.ts";
import type { DType, Edge } from "../../graph.ts";
import { DATA_TYPES } from "../../onnx/messages.ts";
import { floatTensor } from "../../tensor.ts";
import type { Traced, Tracer } from "./trace.ts";

/** The value as this type; itself if it is. */
export function cast(value: Traced, dtype: DType, build: Tracer, name = `${value.edge}/${dtype}`): Traced {
  if (build.typeOf(value.edge) === dtype) return value;
  const edge = build.once(`${value.edge} as ${dtype}`, () =>
    build.add("Cast", name, [value.edge], { to: int(DATA_TYPES[dtype]!) }),
  );
  return { ...value, edge };
}

/** Values as the widest of their types. */
export function alike(values: readonly Traced[], build: Tracer): readonly Traced[] {
  const widths: readonly DType[] = ["bool", "int32", "float32"];
  const widest = Math.max(...values.map(({ edge }) => widths.indexOf(build.typeOf(edge))));
  return values.map((value) => cast(value, widths[widest]!, build));
}

/** A constant number of this type. */
export function scalarOf(value: number, dtype: DType, name: string, build: Tracer): Edge {
  if (dtype !== "int32") return build.constant(name, floatTensor(Float32Array.of(value), []));
  return build.constant(name, { dtype, shape: [], bytes: new Uint8Array(Int32Array.of(value).buffer) });
}
