/** How a host in another process or page is asked: one method, its arguments, a value or an error that survives the way. */
import { DistillateError, type DistillateErrorInit, isDistillateError } from "@distillate/bundle";
import type { Host, Opened, ReenteredHost } from "./host.ts";
import type { InputSet, TargetSpec } from "./target.ts";

/** The answer to one question. */
export type Answer = { readonly value: unknown } | { readonly error: DistillateErrorInit };

/** The other side's part: asks its host. */
export async function answer(host: Host, method: keyof Host, args: readonly unknown[]): Promise<Answer> {
  try {
    return { value: await (host[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args) };
  } catch (error) {
    if (isDistillateError(error)) {
      return { error: { code: error.code, message: error.message, hint: error.hint } };
    }
    const message = String((error as Error)?.message ?? error);
    return { error: { code: "target-failed", message, hint: "The other targets go on." } };
  }
}

/** This side's part: unpacks an answer. */
export function unpack(answer: Answer): unknown {
  if ("error" in answer) throw new DistillateError(answer.error);
  return answer.value;
}

/** A way to a host elsewhere. Calls reject when the place is gone. */
export interface Connection {
  readonly alive: boolean;
  call(method: keyof Host, args: readonly unknown[]): Promise<unknown>;
  end(): Promise<void>;
  /** Loads the page again in the same browser profile; places without a cache of their own have no such thing. */
  reload?(): Promise<void>;
}

/**
 * A host elsewhere that comes back: when one target takes its place down, its own call fails, and the others are opened again in
 * a fresh place as soon as they are asked for.
 */
export function revivingHost(inputs: InputSet, connect: () => Promise<Connection>): ReenteredHost {
  const specs = new Map<string, TargetSpec>();
  const opened = new Set<string>();
  let connection: Connection | undefined;

  const connected = async (): Promise<Connection> => {
    if (connection?.alive) return connection;
    opened.clear();
    connection = await connect();
    await connection.call("setInputs", [inputs]);
    return connection;
  };
  const open = async (spec: TargetSpec, warm?: boolean): Promise<Opened> => {
    specs.set(spec.id, spec);
    const result = (await (await connected()).call("open", [spec, warm])) as Opened;
    opened.add(spec.id);
    return result;
  };
  const on =
    (method: "block" | "paced" | "outputs" | "growth") =>
    async (id: string, ...args: readonly unknown[]): Promise<unknown> => {
      const link = await connected();
      if (!opened.has(id)) await open(specs.get(id)!);
      return link.call(method, [id, ...args]);
    };
  return {
    setInputs: async () => undefined,
    open,
    block: on("block") as Host["block"],
    paced: on("paced") as Host["paced"],
    outputs: on("outputs") as Host["outputs"],
    growth: on("growth") as Host["growth"],
    memory: async () => (await connected()).call("memory", []) as ReturnType<Host["memory"]>,
    async reenter() {
      const link = await connected();
      if (link.reload === undefined) return false;
      opened.clear();
      await link.reload();
      await link.call("setInputs", [inputs]);
      return true;
    },
    async close() {
      if (connection?.alive) await connection.end();
    },
  };
}
