import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseManifest, verifyFile } from "@distillate/bundle";
import { nextUnit, randomFor } from "@distillate/train";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const SMALL =
  "data.limit=1500,data.validation=200,seeds=[1],teacher.training.epochs=2,teacher.model.dense=16,student.training.epochs=3";

interface Finished {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line as the root script does; `killAfter` milliseconds later it is killed. */
function distillate(args: readonly string[], killAfter?: number): Promise<Finished> {
  return new Promise((done) => {
    const node = ["--import", "tsx", "--conditions=@distillate/source", "packages/cli/src/main.ts", ...args];
    const child = spawn(process.execPath, node, { cwd: ROOT });
    let [out, err] = ["", ""];
    child.stdout.on("data", (part) => (out += part));
    child.stderr.on("data", (part) => (err += part));
    const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfter);
    child.on("close", (status) => {
      clearTimeout(timer);
      done({ status, out, err });
    });
  });
}

const scratch = (): Promise<string> => mkdtemp(join(tmpdir(), "distillate-e2e-"));
const runSmall = (out: string, set = SMALL): Promise<Finished> =>
  distillate(["run", "mnist", "--engine", "wasm", "--out", out, "--set", set]);
const hashOf = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

test("run: a bundle that checks out; again, all cached; one value changed, only what depends on it", async () => {
  const out = await scratch();
  const first = await runSmall(out);
  expect(first.err).toBe("");
  expect(first.status).toBe(0);
  const manifest = parseManifest(await readFile(join(out, "bundle/manifest.json"), "utf8"));
  expect(manifest.variants.map(({ id }) => id)).toEqual(["fp32", "int8"]);
  for (const { file } of [...manifest.variants, manifest.probe!]) {
    await verifyFile(await readFile(join(out, "bundle", file.path)), file);
  }

  const again = await runSmall(out);
  expect(again.status).toBe(0);
  expect(again.out.match(/already there/g)).toHaveLength(6);

  const changed = await runSmall(out, `${SMALL},distill.temperature=2`);
  expect(changed.out).toMatch(/✓ teacher \(already there\)/);
  expect(changed.out).toMatch(/✓ baseline\/seed-1 \(already there\)/);
  expect(changed.out).toMatch(/✓ student\/seed-1 in/);
});

test("killed ten times at random moments, it ends with the same bytes as an undisturbed run", async () => {
  const [whole, cut] = [await scratch(), await scratch()];
  expect((await runSmall(whole)).status).toBe(0);
  const random = randomFor(7);
  for (let kill = 0; kill < 10; kill++) await runSmallKilled(cut, 1500 + Math.floor(nextUnit(random) * 4000));
  expect((await runSmall(cut)).status).toBe(0);
  for (const file of ["student/seed-1/weights.bin", "bundle/student.int8.onnx"]) {
    expect(await hashOf(join(cut, file))).toBe(await hashOf(join(whole, file)));
  }
});

function runSmallKilled(out: string, after: number): Promise<Finished> {
  return distillate(["run", "mnist", "--engine", "wasm", "--out", out, "--set", SMALL], after);
}

test("wrong usage exits with 2, bad input with 1; each says the way out", async () => {
  const out = await scratch();
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["bake"], 2, /unknown command bake/],
    [["run", "mnist", "--outt", "x"], 2, /unknown flag --outt/],
    [["run", "nothing"], 1, /error config-missing: nothing is neither a recipe/],
    [
      ["run", "mnist", "--out", out, "--set", "distill.temprature=3"],
      1,
      /error config-invalid: unknown key distill.temprature/,
    ],
    [
      ["run", "mnist", "--out", out, "--set", "distill.temperature=-1"],
      1,
      /error config-invalid: distill.temperature is -1/,
    ],
    [["run", "mnist", "--out", out, "--data", join(out, "none")], 1, /error idx-missing/],
    [["export", join(out, "model.json")], 1, /error checkpoint-missing/],
  ];
  for (const [args, status, message] of cases) {
    const found = await distillate(args);
    expect(found.err).toMatch(message);
    expect(found.status).toBe(status);
    expect(found.err).not.toMatch(/\n\s+at /);
  }
});

test("a changed checkpoint and a second writer are named; nothing finished is lost", async () => {
  const out = await scratch();
  expect((await runSmall(out)).status).toBe(0);
  const path = join(out, "teacher/weights.bin");
  const bytes = await readFile(path);
  await writeFile(path, bytes.subarray(1));
  const damaged = await runSmall(out);
  expect(damaged.status).toBe(1);
  expect(damaged.err).toMatch(/error stage-output-corrupted: .*teacher\/weights.bin has SHA-256/);
  await writeFile(path, bytes);

  await writeFile(
    join(out, ".lock"),
    JSON.stringify({ pid: process.pid, host: (await import("node:os")).hostname(), since: "now" }),
  );
  const second = await runSmall(out);
  expect(second.status).toBe(1);
  expect(second.err).toMatch(/error run-locked: .* is being written by process/);
});

test.skipIf(process.getuid?.() === 0)("a directory that cannot be written (root may write anywhere)", async () => {
  const out = await scratch();
  await chmod(out, 0o500);
  const found = await runSmall(join(out, "run"));
  expect(found.status).toBe(1);
  expect(found.err).toMatch(/error out-not-writable/);
});
