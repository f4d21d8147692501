import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { TaskName, ToldTo } from "../tasks/index.ts";
import { inParts } from "../threads/in-parts.ts";

/** Elements of a part: enough to be worth being handed over. */
const EACH = 2 ** 14;

/** Tasks that go element by element. */
type Elementwise = {
  [Name in TaskName]: ToldTo<Name> extends { readonly size: number; readonly each: number } ? Name : never;
}[TaskName];

/** Runs a task over so many elements, some in each part. */
export function overElements<Name extends Elementwise>(
  backend: BackendWasm,
  name: Name,
  size: number,
  told: Omit<ToldTo<Name>, "size" | "each">,
): void {
  const all = { size, each: EACH, ...told } as unknown as ToldTo<Name>;
  inParts(backend, name, all, Math.ceil(size / EACH));
}
