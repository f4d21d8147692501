import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { htmlReport } from "./html.ts";
import { MODEL_NAMES, type ModelRow, type RunReport } from "./run-report.ts";

const LABELS = ["cat", "<dog>", "a long name & more"];
const row = (id: ModelRow["id"], accuracy: number): ModelRow => ({
  id,
  runtime: "here",
  accuracy,
  perClass: [accuracy, 1, Number.NaN],
  confusion: [
    [8, 2, 0],
    [0, 10, 0],
    [0, 0, 0],
  ],
  nll: 0.1,
  ece: 0.01,
  agreement: 0.9,
  kl: 0.1,
  parameters: 1000,
  bytes: 4000,
  ...(id === "fp32" || id === "int8" ? {} : { seeds: [{ seed: 1, accuracy }], mean: accuracy }),
});

const REPORT = {
  name: "</title><script>",
  tool: "0",
  node: "v0",
  engine: { name: "wasm", version: "0", refused: [{ name: "tensorflow", reason: "<none>" }] },
  data: { name: "pets", labels: LABELS, train: 20, test: 20, hash: "00", notes: [] },
  config: {},
  shippedSeed: 1,
  models: [row("teacher", 0.9), row("baseline", 0.8), row("student", 0.85), row("fp32", 0.85), row("int8", 0.84)],
  gain: { mean: 0.05, low: 0.01, high: 0.09 },
  curves: (["teacher", "baseline", "student"] as const).map((role) => ({
    role,
    title: MODEL_NAMES[role],
    seed: 1,
    history: [{ epoch: 1, losses: { total: 1 }, validationAccuracy: 0.8, learningRate: 0.1 }],
    seconds: 1,
    cached: false,
  })),
  checks: [{ name: "one", found: 1, allowed: 2, ok: true }],
} as unknown as RunReport;

test("the page has its four pictures, nothing from outside, no script, and names cannot break out", () => {
  const html = htmlReport(REPORT);
  const { document } = parseHTML(html);
  expect(document.querySelectorAll("figure svg")).toHaveLength(4);
  expect(document.querySelectorAll("script, link, img, iframe")).toHaveLength(0);
  expect(html.replaceAll("http://www.w3.org/", "")).not.toMatch(/https?:|url\(|NaN/);
  expect(document.querySelector("h1")!.textContent).toBe("</title><script>");
  for (const label of LABELS) expect(document.body.textContent).toContain(label);
  // Every model is a point, every class a row of the matrix.
  expect(document.querySelectorAll("figure")[0]!.textContent).toContain("exported, int8");
});
