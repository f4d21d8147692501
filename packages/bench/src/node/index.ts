export { adviceOf } from "../report/advice.ts";
export { footnotes } from "../report/footnotes.ts";
export { htmlReport } from "../report/html.ts";
export { markdownReport } from "../report/markdown.ts";
export { textTable } from "../report/rows.ts";
export { type BenchReport, formatReport, parseReport, type TargetReport } from "../report/schema.ts";
export { type BenchEvent, type BenchOptions, runBench, SCENARIOS, type Scenario } from "./run-bench.ts";
