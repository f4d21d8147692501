import { expect, test } from "vitest";
import { type SurroundingsScope, watchSurroundings } from "./surroundings.ts";

function page() {
  const listeners = new Map<string, () => void>();
  const document = {
    visibilityState: "visible",
    addEventListener: (type: string, listener: () => void) => void listeners.set(type, listener),
  };
  let press: (records: readonly { readonly state: string }[]) => void = () => undefined;
  class PressureObserver {
    constructor(listener: typeof press) {
      press = listener;
    }
    observe = async (): Promise<void> => undefined;
  }
  const scope: SurroundingsScope = { document, addEventListener: document.addEventListener, PressureObserver };
  const become = (state: string): void => {
    document.visibilityState = state;
    listeners.get("visibilitychange")!();
  };
  return { scope, become, blur: () => listeners.get("blur")!(), press: (state: string) => press([{ state }]) };
}

test("a moment in which the page was hidden is noticed once, a page that stays hidden each time", () => {
  const { scope, become } = page();
  const look = watchSurroundings(scope);
  expect(look()).toEqual([]);
  become("hidden");
  become("visible");
  expect([look(), look()]).toEqual([["hidden"], []]);
  become("hidden");
  expect([look(), look()]).toEqual([["hidden"], ["hidden"]]);
});

test("pressure holds until the browser says otherwise, a lost focus is an event", () => {
  const { scope, press, blur } = page();
  const look = watchSurroundings(scope);
  press("fair");
  expect(look()).toEqual([]);
  press("serious");
  expect([look(), look()]).toEqual([["pressure-serious"], ["pressure-serious"]]);
  press("critical");
  press("nominal");
  blur();
  expect([look(), look()]).toEqual([["pressure-critical", "unfocused"], []]);
});

test("a browser without a PressureObserver is watched all the same", () => {
  const { scope, become } = page();
  const look = watchSurroundings({ document: scope.document, addEventListener: scope.addEventListener });
  become("hidden");
  expect(look()).toEqual(["hidden"]);
});
