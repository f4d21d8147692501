/** What a search may vary, by name: how a value reads, and what it makes of a configuration. */
import { DistillateError } from "@distillate/bundle";
import { type ModelConfig, parseConfig, type RunConfig, type RunConfigInput } from "@distillate/train";
import { contentKey } from "../pipeline/content-hash.ts";

/** A name of {@link AXES}. */
export type AxisName = keyof typeof AXES;
/** The values of each axis, as written. */
export type Axes = { readonly [Name in AxisName]?: readonly string[] };

/** One configuration of a search. */
export interface Candidate {
  /** Its values, as in `kd.temperature-2`, fit for a directory. */
  readonly id: string;
  readonly values: { readonly [Name in AxisName]?: string };
  readonly config: RunConfig;
  /** What candidates of one size have in common; only those are ranked against each other. */
  readonly size: string;
}

interface Axis {
  /** What a value must be, for messages. */
  readonly expected: string;
  isValue(text: string): boolean;
  apply(config: RunConfig, value: string): RunConfigInput;
}

/** Losses on logits, each with the weights of its paper: what `method` chooses from. */
const METHODS: Readonly<Record<string, RunConfigInput["distill"]>> = {
  kd: { ce: { weight: 0.1 }, kd: { weight: 0.9, temperature: 4 } },
  "kd-standardized": { ce: { weight: 0.1 }, kd: { weight: 9, temperature: 2, standardize: true } },
  mse: { ce: { weight: 1 }, mse: { weight: 1 } },
  dkd: { ce: { weight: 1 }, dkd: { weight: 1, temperature: 4 } },
  dist: { ce: { weight: 1 }, dist: { weight: 1 } },
  hard: { ce: { weight: 0.5 }, hard: { weight: 0.5 } },
};

const within = (text: string, least: number, most: number): boolean => Number(text) >= least && Number(text) <= most;

/** All axes, in the order in which they change a configuration: a method replaces the losses that the others then tune. */
export const AXES = {
  /** Which loss asks the teacher. */
  method: {
    expected: Object.keys(METHODS).join(", "),
    isValue: (text) => Object.hasOwn(METHODS, text),
    apply: (config, value) => ({ ...config, distill: METHODS[value] }),
  },
  /** The share of the teacher: its losses weigh alpha, the labels 1 - alpha. */
  alpha: {
    expected: "a number from 0.01 to 1",
    isValue: (text) => within(text, 0.01, 1),
    apply: (config, value) =>
      overLosses(config, (name) => ({ weight: name === "ce" ? 1 - Number(value) : Number(value) })),
  },
  /** Of every loss that has one. */
  temperature: {
    expected: "a number from 0.1 to 100",
    isValue: (text) => within(text, 0.1, 100),
    apply: (config, value) =>
      overLosses(config, (_, knobs) => ("temperature" in knobs ? { temperature: Number(value) } : {})),
  },
  /** The student's filters and units, times this. */
  width: {
    expected: "a number from 0.05 to 16",
    isValue: (text) => within(text, 0.05, 16),
    apply: (config, value) => ({
      ...config,
      student: { ...config.student, model: widened(config.student.model, Number(value)) },
    }),
  },
} as const satisfies Readonly<Record<string, Axis>>;

/**
 * Reads `width=0.5,1,temperature=2,4`: what has no `=` is one more value of the axis before it.
 *
 * @throws DistillateError `sweep-invalid`.
 */
export function parseAxes(text: string): Axes {
  const axes: Partial<Record<AxisName, readonly string[]>> = {};
  let current: AxisName | undefined;
  for (const piece of text.split(",")) {
    const [first, second] = piece.split("=", 2) as [string, string?];
    if (second !== undefined) current = axisNamed(first.trim());
    if (current === undefined) throw invalid(`${text} begins with a value`, "Write AXIS=VALUE,VALUE,AXIS=VALUE,...");
    const value = (second ?? first).trim();
    const { expected, isValue } = AXES[current];
    if (!isValue(value)) throw invalid(`${current} is "${value}", expected ${expected}`, "Correct this value.");
    const values = axes[current] ?? [];
    axes[current] = values.includes(value) ? values : [...values, value];
  }
  return axes;
}

/** Every combination of the axes' values; those that come to the same configuration once. */
export function candidatesOf(base: RunConfig, axes: Axes): readonly Candidate[] {
  let found: readonly Pick<Candidate, "values" | "config">[] = [{ values: {}, config: base }];
  for (const name of Object.keys(AXES) as AxisName[]) {
    const values = axes[name];
    if (values === undefined) continue;
    found = found.flatMap((each) =>
      values.map((value) => ({
        values: { ...each.values, [name]: value },
        config: parseConfig(AXES[name].apply(each.config, value)),
      })),
    );
  }
  const unique = new Map(found.map((each) => [contentKey([each.config.student, each.config.distill]), each]));
  return [...unique.values()].map(({ values, config }) => {
    const id = Object.entries(values)
      .map(([name, value]) => (name === "method" ? value : `${name}-${value}`))
      .join(".");
    return {
      id,
      values,
      config: { ...config, name: `${base.name}.${id}`.slice(0, 64) },
      size: contentKey(config.student.model).slice(0, 12),
    };
  });
}

function axisNamed(name: string): AxisName {
  if (Object.hasOwn(AXES, name)) return name as AxisName;
  throw invalid(`there is no axis "${name}"`, `There are ${Object.keys(AXES).join(", ")}.`);
}

type Losses = RunConfig["distill"];

function overLosses(config: RunConfig, change: (name: string, knobs: object) => object): RunConfigInput {
  const losses = Object.entries(config.distill as Readonly<Record<string, object>>).map(([name, knobs]) => [
    name,
    { ...knobs, ...change(name, knobs) },
  ]);
  return { ...config, distill: Object.fromEntries(losses) as Losses };
}

function widened(model: ModelConfig, factor: number): ModelConfig {
  const times = (units: number, least: number): number => Math.max(least, Math.round(units * factor));
  switch (model.name) {
    case "cnn":
      return {
        ...model,
        filters: model.filters.map((filters) => times(filters, 1)),
        dense: model.dense === 0 ? 0 : times(model.dense, 1),
      };
    case "ds-cnn":
    case "resnet-8":
    case "resnet-9":
      return { ...model, filters: times(model.filters, 4) };
  }
}

function invalid(message: string, hint: string): DistillateError {
  return new DistillateError({ code: "sweep-invalid", message: `--sweep: ${message}`, hint });
}
