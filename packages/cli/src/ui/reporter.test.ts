import { expect, test } from "vitest";
import type { PipelineEvent } from "../events.ts";
import { createReporter } from "./reporter.ts";

const EVENTS: readonly PipelineEvent[] = [
  { kind: "stage-start", stage: "teacher" },
  { kind: "step", job: "teacher", step: 1, steps: 10, samples: 64 },
  { kind: "step", job: "teacher", step: 6, steps: 10, samples: 320 },
  {
    kind: "epoch",
    job: "teacher",
    epoch: 1,
    epochs: 2,
    losses: { total: 0.5 },
    validationAccuracy: 0.91,
    imagesPerSecond: 321.4,
  },
  { kind: "stage-done", stage: "teacher", seconds: 2.04 },
];

function show(options: { json?: boolean; quiet?: boolean; isTTY?: boolean }): string {
  let text = "";
  let now = 0;
  const reporter = createReporter({
    json: options.json ?? false,
    quiet: options.quiet ?? false,
    stream: { isTTY: options.isTTY, write: (part) => (text += part) },
    clock: () => (now += 1000),
  });
  for (const event of EVENTS) reporter.event(event);
  reporter.close();
  return text;
}

test("plain lines where nobody watches: one an epoch, none a step", () => {
  expect(show({})).toBe(
    "· teacher\n  teacher  epoch 1/2  loss 0.5000  validation 91.00 %  321 images/s\n✓ teacher in 2.0 s\n",
  );
});

test("a terminal sees share, rate and time left, and the line is cleared", () => {
  const text = show({ isTTY: true });
  expect(text).toMatch(/teacher 60 % \d+ images\/s, \d+ s left/);
  expect(text.endsWith("✓ teacher in 2.0 s\n")).toBe(true);
});

test("JSON lines are JSON; quiet says nothing", () => {
  const lines = show({ json: true }).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).kind)).toEqual(["stage-start", "epoch", "stage-done"]);
  expect(show({ quiet: true })).toBe("");
});
