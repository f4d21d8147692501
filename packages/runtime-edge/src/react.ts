/** `@distillate/runtime-edge/react`: a model as long as a component lives. */

import { DistillateError } from "@distillate/bundle";
import { useCallback, useEffect, useRef, useState } from "react";
import type { LoadProgress } from "./events.ts";
import { type LoadOptions, load } from "./load.ts";
import type { Model } from "./model.ts";
import type { SourceInput } from "./source/open-source.ts";

/** A model and how far it is. */
export interface UsedModel {
  readonly ready: boolean;
  readonly progress: LoadProgress | undefined;
  readonly error: Error | undefined;
  readonly model: Model | undefined;
  /** As `model.run`; waits while the model loads. The same function at every render. */
  readonly run: Model["run"];
}

type State = Omit<UsedModel, "run">;

const NOTHING: State = { ready: false, progress: undefined, error: undefined, model: undefined };

/**
 * Loads a model when the component mounts or `source` changes, and disposes it when it unmounts. Nothing is loaded on a server.
 *
 * @param source as for `load`; `undefined` loads nothing yet. Files and bytes must be the same object at every render.
 * @param options are read when loading begins; later ones count for the next source.
 */
export function useModel(source: SourceInput | undefined, options: Omit<LoadOptions, "signal"> = {}): UsedModel {
  const latest = useRef(options);
  const loading = useRef<Promise<Model> | undefined>(undefined);
  const [state, setState] = useState(NOTHING);
  useEffect(() => {
    latest.current = options;
  });
  const address = source instanceof URL ? source.href : source;

  useEffect(() => {
    setState(NOTHING);
    if (address === undefined) return;
    const controller = new AbortController();
    const { signal } = controller;
    const { onProgress, ...rest } = latest.current;
    const model = load(address, {
      ...rest,
      signal,
      onProgress(progress) {
        onProgress?.(progress);
        if (!signal.aborted) setState((before) => ({ ...before, progress }));
      },
    });
    loading.current = model;
    model.then(
      (loaded) => {
        if (!signal.aborted) setState((before) => ({ ...before, ready: true, model: loaded }));
      },
      (error: Error) => {
        if (!signal.aborted) setState((before) => ({ ...before, error }));
      },
    );
    return () => {
      loading.current = undefined;
      controller.abort();
      void model.then((loaded) => loaded.dispose()).catch(() => {});
    };
  }, [address]);

  const run = useCallback(async (...call: Parameters<Model["run"]>) => {
    if (!loading.current) throw notMounted();
    return (await loading.current).run(...call);
  }, []) as Model["run"];
  return { ...state, run };
}

function notMounted(): DistillateError {
  return new DistillateError({
    code: "not-loading",
    message: "no model is loading: the component is not mounted, or it has no source",
    hint: "Call `run` from effects and event handlers, when `source` is set.",
  });
}
