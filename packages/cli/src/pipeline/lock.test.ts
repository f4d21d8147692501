import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readdir, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { acquireLock } from "./lock.ts";

const scratch = (): Promise<string> => mkdtemp(join(tmpdir(), "distillate-lock-"));
const lockOf = (pid: number, host = hostname()): string => JSON.stringify({ pid, host, since: "2026-01-01T00:00:00Z" });

test("a released lock leaves nothing behind", async () => {
  const directory = await scratch();
  const lock = await acquireLock(directory);
  expect(await readdir(directory)).toEqual([".lock"]);
  lock.release();
  expect(await readdir(directory)).toEqual([]);
});

test("a living owner keeps others out, and its lock stays", async () => {
  const directory = await scratch();
  await writeFile(join(directory, ".lock"), lockOf(process.ppid));
  await expect(acquireLock(directory)).rejects.toMatchObject({ code: "run-locked" });
  expect(await readdir(directory)).toEqual([".lock"]);
});

test("a dead owner's lock is taken over", async () => {
  const directory = await scratch();
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  await writeFile(join(directory, ".lock"), lockOf(dead));
  const lock = await acquireLock(directory);
  expect(lock.tookOverStale).toBe(true);
  lock.release();
});

test("a lock of another host is never judged stale", async () => {
  const directory = await scratch();
  await writeFile(join(directory, ".lock"), lockOf(1, "elsewhere"));
  await expect(acquireLock(directory)).rejects.toMatchObject({ code: "run-locked" });
});

test("a lock cut short by a full disk is taken over", async () => {
  const directory = await scratch();
  await writeFile(join(directory, ".lock"), "");
  expect((await acquireLock(directory)).tookOverStale).toBe(true);
});

test("many take over one stale lock: one holds it, the others are told so", async () => {
  const directory = await scratch();
  await writeFile(join(directory, ".lock"), lockOf(spawnSync(process.execPath, ["-e", ""]).pid));
  const script = `
    const { acquireLock } = await import(${JSON.stringify(new URL("./lock.ts", import.meta.url).href)});
    const lines = (await import("node:readline")).createInterface(process.stdin)[Symbol.asyncIterator]();
    console.log("ready");
    await lines.next();
    console.log(await acquireLock(${JSON.stringify(directory)}).then(() => "held", (error) => error.code));
    await lines.next();
  `;
  const flags = ["--import", "tsx", "--conditions=@distillate/source", "--input-type=module", "--eval", script];
  const children = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, flags, { stdio: ["pipe", "pipe", "inherit"] });
    return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
  });
  const answers = (): Promise<string[]> => Promise.all(children.map(async ({ lines }) => (await lines.next()).value));
  expect(await answers()).toEqual(["ready", "ready", "ready", "ready"]);
  for (const { child } of children) child.stdin.write("go\n");
  expect((await answers()).sort()).toEqual(["held", "run-locked", "run-locked", "run-locked"]);
  for (const { child } of children) child.stdin.end("leave\n");
});
