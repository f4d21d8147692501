/** What an app may want to know of its models in the field: numbers only, no inputs and no results, handed to the app's own function. */
import type { BackendName } from "./backends/backend.ts";
import type { OnEvent } from "./events.ts";
import type { Model } from "./model.ts";
import type { ModelStats } from "./stats.ts";
import { RUNTIME_VERSION } from "./version.ts";

/** One model on one page. */
export interface TelemetryReport {
  readonly runtime: string;
  readonly id: string;
  readonly semver: string;
  readonly backend: BackendName;
  readonly variant: string;
  readonly threads: number;
  readonly stats: ModelStats;
  /** How often each kind of event happened since loading began; restarts by their reason. */
  readonly events: Readonly<Record<string, number>>;
}

/** Takes a report. Nothing is sent by this package. */
export type OnTelemetry = (report: TelemetryReport) => void;

/** Counts events until there is a model to report on. */
export interface EventCounter {
  readonly onEvent: OnEvent;
  readonly counts: Readonly<Record<string, number>>;
}

/** Passes events on and counts them. */
export function countEvents(onEvent: OnEvent): EventCounter {
  const counts: Record<string, number> = {};
  return {
    counts,
    onEvent(event) {
      const name = event.kind === "engine-restarted" ? `${event.kind}:${event.reason}` : event.kind;
      counts[name] = (counts[name] ?? 0) + 1;
      onEvent(event);
    },
  };
}

/** Reports whenever the page is hidden, which is the last that a phone's page hears, and when the model is disposed. */
export function withTelemetry(model: Model, report: OnTelemetry, { counts }: EventCounter): Model {
  const tell = (): void => {
    const { id, semver } = model.manifest;
    const { backend, variant, threads } = model.plan.chosen;
    report({
      runtime: RUNTIME_VERSION,
      id,
      semver,
      backend,
      variant,
      threads,
      stats: model.stats(),
      events: { ...counts },
    });
  };
  const { document } = globalThis as { document?: Document };
  const onVisibility = (): void => {
    if (document!.visibilityState === "hidden") tell();
  };
  document?.addEventListener("visibilitychange", onVisibility);
  const { dispose } = model;
  let disposing: Promise<void> | undefined;
  // Getters stay getters: what serves may change.
  return Object.defineProperties({} as Model, {
    ...Object.getOwnPropertyDescriptors(model),
    dispose: {
      enumerable: true,
      value() {
        if (!disposing) {
          document?.removeEventListener("visibilitychange", onVisibility);
          tell();
          disposing = dispose();
        }
        return disposing;
      },
    },
  });
}
