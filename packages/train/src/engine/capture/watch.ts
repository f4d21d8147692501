/**
 * Sees what passes through tfjs-node's binding while a step runs.
 *
 * The addon's own properties are read-only, so the backend gets an object that inherits from the addon and shadows three of its
 * functions. Native ids are never used again: an id names one value for as long as the process lives.
 */
import type { Binding, HostValues, OpAttr, TensorflowBackend, TensorMetadata } from "./binding.ts";

/** Told of everything that one step does. */
export interface Watcher {
  created(id: number, shape: readonly number[], dtype: number, values: HostValues): void;
  executed(op: string, attrs: readonly OpAttr[], inputs: readonly number[], outputs: readonly TensorMetadata[]): void;
  read(id: number): void;
}

const addons = new WeakMap<TensorflowBackend, Binding>();
let watching: Watcher | undefined;

/** Runs `body`; the watcher sees all of it. Steps do not nest. */
export function watch<Result>(backend: TensorflowBackend, watcher: Watcher, body: () => Result): Result {
  addonOf(backend);
  watching = watcher;
  try {
    return body();
  } finally {
    watching = undefined;
  }
}

/** The addon itself, whose calls no watcher sees. */
export function addonOf(backend: TensorflowBackend): Binding {
  const known = addons.get(backend);
  if (known) return known;
  const addon = backend.binding;
  addons.set(backend, addon);
  const define = (target: Binding, functions: Partial<Binding>): Binding =>
    Object.defineProperties(
      target,
      Object.fromEntries(Object.entries(functions).map(([name, value]) => [name, { value }])),
    );
  backend.binding = define(Object.create(addon) as Binding, {
    createTensor(shape, dtype, values) {
      const id = addon.createTensor(shape, dtype, values);
      watching?.created(id, shape, dtype, values);
      return id;
    },
    executeOp(name, attrs, inputs, outputs) {
      const made = addon.executeOp(name, attrs, inputs, outputs);
      watching?.executed(name, attrs, inputs, made);
      return made;
    },
    tensorDataSync(id) {
      watching?.read(id);
      return addon.tensorDataSync(id);
    },
  });
  return addon;
}
