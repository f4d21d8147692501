/** The way to a host in a process of its own. */
import { type ChildProcess, fork } from "node:child_process";
import { DistillateError } from "@distillate/bundle";
import type { Host } from "../host.ts";
import { type Answer, type Connection, unpack } from "../host-protocol.ts";

/** What goes to the process. */
export interface ToHost {
  readonly id: number;
  readonly method: keyof Host;
  readonly args: readonly unknown[];
}

/** What comes back. */
export type FromHost = { readonly id: number } & Answer;

/** A call may take so long before its process counts as hung. */
const PATIENCE_MILLISECONDS = 180_000;

/**
 * Starts the process.
 *
 * @param execArgv flags of Node; this process's own without it.
 */
export async function connectToChild(execArgv: readonly string[] = process.execArgv): Promise<Connection> {
  // From source this file is TypeScript, in the package JavaScript.
  const file = import.meta.url.endsWith(".ts") ? "./host-process.ts" : "./host-process.js";
  const child: ChildProcess = fork(new URL(file, import.meta.url), {
    execArgv: [...execArgv],
    serialization: "advanced",
    // What a runtime prints is not ours to show; a crash's last words go into its error.
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let [alive, next, words] = [true, 0, ""];
  child.stderr!.on("data", (part: Buffer) => {
    words = `${words}${part}`.slice(-8_000);
  });
  child.on("message", ({ id, ...answer }: FromHost) => {
    const settle = waiting.get(id);
    waiting.delete(id);
    try {
      settle?.resolve(unpack(answer as Answer));
    } catch (error) {
      settle?.reject(error as Error);
    }
  });
  const ended = new Promise<void>((resolve) => {
    child.on("exit", async (code, signal) => {
      alive = false;
      // Its last words may still be on their way.
      await new Promise((arrived) => setTimeout(arrived, 20));
      const error = died(signal ?? `exit status ${code}`, words);
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
      resolve();
    });
  });
  return {
    get alive() {
      return alive;
    },
    async call(method, args) {
      const id = next++;
      const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MILLISECONDS);
      try {
        return await new Promise((resolve, reject) => {
          waiting.set(id, { resolve, reject });
          child.send({ id, method, args } satisfies ToHost);
        });
      } finally {
        clearTimeout(timer);
      }
    },
    async end() {
      child.disconnect();
      await ended;
    },
  };
}

function died(how: string, words: string): DistillateError {
  const lines = words.split("\n").filter((line) => line.trim() !== "");
  // Node says what is wrong, then prints its own stack, which says nothing.
  const fatal = lines.find((line) => line.startsWith("FATAL ERROR"));
  const last = fatal ?? lines.slice(-3).join(" | ");
  return new DistillateError({
    code: "target-died",
    message: `its process ended with ${how}${last === "" ? "" : `: ${last}`}`,
    hint: "SIGKILL and SIGABRT mostly mean that memory ran out. The other targets go on in a fresh process.",
  });
}
