import { readFileSync, rmSync } from "node:fs";
import { link, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { DistillateError } from "@distillate/bundle";

/** Who holds a run directory. */
interface LockOwner {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

/** A held lock. */
export interface Lock {
  /** Whether a dead process had left its lock behind. */
  readonly tookOverStale: boolean;
  release(): void;
}

/**
 * Takes the single-writer lock of a run directory.
 *
 * The lock is a file linked into place, so it appears whole or not at all. One left by a process that no longer lives on
 * this host is stale and is taken over; one of another host is never judged from here.
 *
 * @throws DistillateError `run-locked` while another process writes there.
 */
export async function acquireLock(directory: string): Promise<Lock> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, ".lock");
  const owner: LockOwner = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, JSON.stringify(owner));
  try {
    const first = await linked(draft, path);
    if (!first) {
      const holder = readOwner(path);
      if (holder !== undefined && !isStale(holder)) throw lockedError(directory, holder);
      await setAside(path, holder);
      if (!(await linked(draft, path))) throw lockedError(directory, readOwner(path) ?? owner);
    }
    const release = (): void => {
      if (readOwner(path)?.pid === process.pid) rmSync(path, { force: true });
    };
    return { tookOverStale: !first, release };
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Takes a stale lock away. Two processes may have judged it stale; the rename is what only one of them can do to it, and one
 * that finds it got hold of a newer lock puts that back.
 */
async function setAside(path: string, judged: LockOwner | undefined): Promise<void> {
  const aside = `${path}.stale.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const taken = readOwner(aside);
  if (taken !== undefined && (taken.pid !== judged?.pid || taken.since !== judged.since)) await linked(aside, path);
  await rm(aside, { force: true });
}

/** Hard-links `from` to `to`; false when `to` exists. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readOwner(path: string): LockOwner | undefined {
  try {
    const owner: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof owner === "object" && owner !== null && "pid" in owner ? (owner as LockOwner) : undefined;
  } catch {
    // Gone meanwhile, or cut short by a full disk: nobody holds it.
    return undefined;
  }
}

function isStale(owner: LockOwner): boolean {
  if (owner.host !== hostname()) return false;
  if (owner.pid === process.pid) return true;
  try {
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

function lockedError(directory: string, owner: LockOwner): DistillateError {
  return new DistillateError({
    code: "run-locked",
    message: `${directory} is being written by process ${owner.pid} on ${owner.host} since ${owner.since}; one writer at a time`,
    hint: `Wait for it, stop it, or write elsewhere with --out DIR. If no such process lives, delete ${join(directory, ".lock")}.`,
  });
}
