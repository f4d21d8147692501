import { fork } from "node:child_process";
import type { EngineName } from "./select.ts";

/** Whether an engine works here, and its version or why not. */
export interface EngineStatus {
  readonly ok: boolean;
  readonly detail: string;
}

/** Loads an engine in a process of its own and has it take one gradient. */
export function engineStatus(name: EngineName): Promise<EngineStatus> {
  const module = new URL(`./prove${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
  return new Promise((resolve) => {
    const child = fork(module, [name], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
    child.on("message", (status: EngineStatus) => resolve(status));
    child.on("error", (error) => resolve({ ok: false, detail: error.message }));
    child.on("exit", (code, signal) => resolve({ ok: false, detail: `its process ended with ${signal ?? code}` }));
  });
}
