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
      if (!(await supersede(path, holder, draft))) throw lockedError(directory, readOwner(path) ?? owner);
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
 * Puts our lock in a dead one's place. Several processes may have judged it dead: the file that is named after it is what only one
 * of them can link, and whoever does looks again before it renames its lock over the dead one. So there is a lock at any moment, and
 * nobody takes a living one away. A process that died in between is superseded in the same way.
 */
async function supersede(path: string, judged: LockOwner | undefined, draft: string): Promise<boolean> {
  const turn = `${path}.after-${judged === undefined ? "none" : `${judged.pid}-${judged.since.replaceAll(/\W/g, "")}`}`;
  if (!(await linked(draft, turn))) {
    const other = readOwner(turn);
    if (other === undefined || !isStale(other) || !(await supersede(turn, other, draft))) return false;
  }
  try {
    const current = readOwner(path);
    if (current?.pid !== judged?.pid || current?.since !== judged?.since) return false;
    const next = `${draft}.next`;
    await link(draft, next);
    await rename(next, path);
    return true;
  } finally {
    await rm(turn, { force: true });
  }
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
