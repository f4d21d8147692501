/**
 * Work that several callers want at once is done once. It ends early only when all of them have given up: one caller's abort
 * is never another one's failure.
 */
import { orAborted } from "./or-aborted.ts";

interface Shared {
  readonly value: Promise<unknown>;
  readonly controller: AbortController;
  waiting: number;
}

/** Joins work by key. */
export interface SharedWork<Value> {
  /** Starts the work, or waits for that of another caller; throws the signal's reason as soon as it is aborted. */
  join(key: string, start: (signal: AbortSignal) => Promise<Value>, signal: AbortSignal): Promise<Value>;
}

/** Makes a place where work is shared; nothing is kept once it is done. */
export function createSharedWork<Value>(): SharedWork<Value> {
  const all = new Map<string, Shared>();
  return {
    async join(key, start, signal) {
      signal.throwIfAborted();
      const found = all.get(key) ?? begin(key, start);
      found.waiting++;
      try {
        return (await orAborted(found.value, signal)) as Value;
      } finally {
        found.waiting--;
        if (found.waiting === 0) {
          if (all.get(key) === found) all.delete(key);
          found.controller.abort(signal.reason);
        }
      }
    },
  };

  function begin(key: string, start: (signal: AbortSignal) => Promise<Value>): Shared {
    const controller = new AbortController();
    const value = start(controller.signal);
    const shared: Shared = { value, controller, waiting: 0 };
    all.set(key, shared);
    const done = (): void => {
      if (all.get(key) === shared) all.delete(key);
    };
    value.then(done, done);
    return shared;
  }
}
