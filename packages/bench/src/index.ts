export { type Block, type BlockContext, runBlock } from "./block.ts";
export { type Blocks, type BootstrapOptions, bootstrapRatio, type Interval } from "./bootstrap.ts";
export { CALIBRATION_TOLERANCE, type Calibrate, createCalibration, steadyBlocks } from "./calibration.ts";
export { type Clock, callsPerSample, measureResolution, systemClock } from "./clock.ts";
export { compareLatency, type Side } from "./compare.ts";
export { createHost, type Held, type Host, type HostParts, type Memory, type Opened } from "./host.ts";
export {
  countedBlocks,
  type Measurable,
  type MeasuredBlock,
  type Measurement,
  type MeasureOptions,
  measureInterleaved,
} from "./measure.ts";
export { type Paced, runPaced } from "./paced.ts";
export { escapeHtml, type HtmlColumn, htmlTable } from "./report/html-table.ts";
export { driftOf, PERCENTILES, type PercentileName, type Summary, summarize } from "./statistics.ts";
export { lacking, type NamedRule, STOP_RULES, type StopRule, type StopRuleName } from "./stop-rule.ts";
export {
  INPUT_ARRAYS,
  type InputSet,
  type InputTensor,
  type InputType,
  type Opener,
  type OpenTarget,
  type Phases,
  type TargetSpec,
} from "./target.ts";
