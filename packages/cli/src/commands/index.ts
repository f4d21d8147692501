import type { CommandDef } from "citty";
import type { Target } from "../pipeline/pipeline.ts";

const stage = (name: string, until: Target, description: string) => (): Promise<CommandDef> =>
  import("./stage-command.ts").then(
    ({ stageCommand }) => stageCommand(name, until, description) as unknown as CommandDef,
  );

/** Every command, loaded when it is called. */
export const COMMANDS = {
  run: () => import("./run.ts").then(({ run }) => run as unknown as CommandDef),
  train: stage("train", "train", "Train the teacher and the baselines of a run."),
  distill: stage("distill", "distill", "Train the distilled students of a run, and what they need."),
  export: () => import("./export.ts").then(({ exportCommand }) => exportCommand as unknown as CommandDef),
  quantize: () => import("./quantize.ts").then(({ quantize }) => quantize as unknown as CommandDef),
  verify: () => import("./verify.ts").then(({ verify }) => verify as unknown as CommandDef),
  evaluate: () => import("./evaluate.ts").then(({ evaluate }) => evaluate as unknown as CommandDef),
  serve: () => import("./serve.ts").then(({ serve }) => serve as unknown as CommandDef),
  inspect: () => import("./inspect.ts").then(({ inspect }) => inspect as unknown as CommandDef),
  doctor: () => import("./doctor.ts").then(({ doctor }) => doctor as unknown as CommandDef),
  engine: () => import("./engine.ts").then(({ engine }) => engine as unknown as CommandDef),
  bench: () => import("./bench.ts").then(({ bench }) => bench as unknown as CommandDef),
  compare: () => import("./compare.ts").then(({ compare }) => compare as unknown as CommandDef),
  report: () => import("./report.ts").then(({ report }) => report as unknown as CommandDef),
  init: () => import("./init.ts").then(({ init }) => init as unknown as CommandDef),
} as const;

/** The name of a command. */
export type CommandName = keyof typeof COMMANDS;
