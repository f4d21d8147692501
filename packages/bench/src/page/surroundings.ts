/**
 * What happens to a page while it is measured: browsers slow hidden pages down, and say how hard pressed the processor is where they
 * have a `PressureObserver` (W3C Compute Pressure).
 */

/** What can be noticed. */
export type Noticed = "hidden" | "unfocused" | "pressure-serious" | "pressure-critical";

/** The part of a page that is looked at. */
export interface SurroundingsScope {
  readonly document: {
    readonly visibilityState: string;
    addEventListener(type: "visibilitychange", listener: () => void): void;
  };
  addEventListener(type: "blur", listener: () => void): void;
  readonly PressureObserver?: new (
    listener: (records: readonly { readonly state: string }[]) => void,
  ) => { observe(source: "cpu", options: { readonly sampleInterval: number }): Promise<void> };
}

/** Milliseconds between two looks at the pressure. */
const INTERVAL = 1000;

/** Begins to look; the returned function gives what was noticed since it was last called. */
export function watchSurroundings(scope: SurroundingsScope): () => readonly Noticed[] {
  const noticed = new Set<Noticed>();
  let pressure: Noticed | undefined;
  const isHidden = (): boolean => scope.document.visibilityState === "hidden";
  const look = (): void => {
    if (isHidden()) noticed.add("hidden");
  };
  scope.document.addEventListener("visibilitychange", look);
  scope.addEventListener("blur", () => noticed.add("unfocused"));
  if (scope.PressureObserver !== undefined) {
    const observer = new scope.PressureObserver((records) => {
      const state = records.at(-1)?.state;
      pressure = state === "serious" || state === "critical" ? `pressure-${state}` : undefined;
      if (pressure !== undefined) noticed.add(pressure);
    });
    // A page that may not look does without.
    observer.observe("cpu", { sampleInterval: INTERVAL }).catch(() => undefined);
  }
  return () => {
    look();
    // A state holds until the browser says otherwise.
    if (pressure !== undefined) noticed.add(pressure);
    const found = [...noticed].sort();
    noticed.clear();
    return found;
  };
}
