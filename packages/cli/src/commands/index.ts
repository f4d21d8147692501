import type { CommandDef } from "citty";

/** Every command, loaded when it is called. */
export const COMMANDS = {
  run: () => import("./run.ts").then(({ run }) => run as unknown as CommandDef),
  export: () => import("./export.ts").then(({ exportCommand }) => exportCommand as unknown as CommandDef),
  doctor: () => import("./doctor.ts").then(({ doctor }) => doctor as unknown as CommandDef),
} as const;

/** The name of a command. */
export type CommandName = keyof typeof COMMANDS;
