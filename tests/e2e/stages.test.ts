/** Chains, tables, searches and merged reports, as the command line has them: cut off, gone on, compared. */
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { distillate, type Stop } from "../fixtures/command-line.ts";

const cnn = (filters: number[], epochs = 1) => ({ model: { name: "cnn", filters }, training: { epochs } });
const BASE = {
  name: "chain",
  data: { kind: "mnist", limit: 600, validation: 100 },
  teacher: cnn([8, 16], 2),
  student: cnn([4, 8]),
  tolerance: { int8Drop: 100 },
};

const killWhenSaid = (whenSaid: RegExp): Stop => ({ signal: "SIGKILL", whenSaid });

async function scratch(config: object): Promise<{ readonly at: (name: string) => string; readonly run: string[] }> {
  const directory = await mkdtemp(join(tmpdir(), "distillate-stages-"));
  const at = (name: string): string => join(directory, name);
  await writeFile(at("run.json"), JSON.stringify({ ...BASE, ...config }));
  return { at, run: ["run", at("run.json"), "--engine", "wasm", "--out", at("out")] };
}

test("a chain of teachers, assistant, born-again and fine-tuned students: killed, it ends with the same bytes", async () => {
  const chain = {
    teacher: { mean: [cnn([8, 16], 2), { ...cnn([8, 16]), weight: 0.5 }] },
    stages: [
      { kind: "assistant", ...cnn([6, 12]) },
      { kind: "again", distill: { mse: {} } },
      { kind: "finetune", training: { epochs: 1, optimizer: { name: "adam", learningRate: 1e-3 } }, freeze: ["conv1"] },
    ],
  };
  const [whole, cut] = [await scratch(chain), await scratch(chain)];
  expect(await distillate(whole.run)).toMatchObject({ err: "", status: 0 });
  for (const said of [/✓ assistant-1/, /again-1\/seed-1 {2}epoch 1/]) await distillate(cut.run, killWhenSaid(said));
  const { out } = await distillate(cut.run);
  expect(out).toMatch(/✓ assistant-1 \(already there\)/);
  expect(out).toMatch(
    /mean of 2 teachers[\s\S]*assistant 1[\s\S]*labels alone, fine-tuned[\s\S]*born again 1, fine-tuned/,
  );
  for (const file of ["finetune-1/seed-1/weights.bin", "bundle/student.int8.onnx"]) {
    expect(await readFile(cut.at(join("out", file)))).toEqual(await readFile(whole.at(join("out", file))));
  }
  const report = JSON.parse(await readFile(cut.at("out/report.json"), "utf8"));
  expect(report.shipped).toBe("finetune-1/seed-1");
  expect(report.models.map(({ id }: { id: string }) => id)).toEqual([
    "guide",
    "guide",
    "teacher",
    "guide",
    "step",
    "baseline",
    "step",
    "step",
    "student",
    "fp32",
    "int8",
  ]);
  expect(report.models.at(-3).seeds[0].last).toMatchObject({ epoch: 1 });
});

/** Logits as numpy.save writes them. */
function npy(bytes: Buffer, classes: number): Buffer {
  const shape = `(${bytes.length / 4 / classes}, ${classes})`;
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117);
  return Buffer.concat([Buffer.from("\x93NUMPY\x01\x00\x76\x00", "latin1"), Buffer.from(`${header}\n`), bytes]);
}

test("a student of what a teacher said is the student of the teacher, byte by byte; a shuffled table is found", async () => {
  const taught = await scratch({});
  expect((await distillate(taught.run)).status).toBe(0);
  const [view] = await readdir(taught.at("out/teacher/views"));
  for (const [part, file] of Object.entries({ train: `views/${view}`, test: "test-logits.bin" })) {
    const said = await readFile(taught.at(`out/teacher/${file}`));
    await writeFile(taught.at(`${part}.npy`), npy(said, 10));
    // A quarter of the rows further on: right in number, and all at the wrong images.
    const turned = Buffer.concat([said.subarray(said.length / 4), said.subarray(0, said.length / 4)]);
    await writeFile(taught.at(`turned-${part}.npy`), npy(turned, 10));
  }
  const { hash } = JSON.parse(await readFile(taught.at("out/report.json"), "utf8")).data;
  const logits = (prefix: string) => ({ train: taught.at(`${prefix}train.npy`), test: taught.at(`${prefix}test.npy`) });
  const read = await scratch({ teacher: { logits: logits(""), data: hash } });
  const { out, status } = await distillate(read.run);
  expect(status).toBe(0);
  expect(out).toMatch(/teacher +as written down/);
  const weights = "out/student/seed-1/weights.bin";
  expect(await readFile(read.at(weights))).toEqual(await readFile(taught.at(weights)));

  const turned = await distillate((await scratch({ teacher: { logits: logits("turned-") } })).run);
  expect(turned.err).toMatch(/error teacher-too-weak: .*turned-train\.npy gets/);
  // Nothing was trained before.
  expect(turned.out).not.toMatch(/epoch 1/);
  const other = await distillate((await scratch({ teacher: { logits: logits(""), data: "f00" } })).run);
  expect(other.err).toMatch(/error table-data: /);
});

test("a search goes on where it was killed, keeps the best of each size, and its runs can be merged", async () => {
  const { at, run } = await scratch({ student: cnn([4, 8], 2) });
  const sweep = [...run, "--sweep", "width=0.5,1,method=kd,hard", "--budget", "2"];
  await distillate(sweep, killWhenSaid(/✓ sweep\/round-1\/kd.width-0.5 in/));
  const finished = await distillate(sweep);
  expect(finished).toMatchObject({ err: "", status: 0 });
  expect(finished.out).toMatch(/✓ sweep\/round-1\/kd.width-0.5 \(already there\)/);
  const { rounds, candidates, finished: merged } = JSON.parse(await readFile(at("out/sweep.json"), "utf8"));
  expect(rounds).toEqual([{ candidates: 4, epochs: 1 }]);
  const runs = candidates.flatMap((candidate: { run?: string }) => candidate.run ?? []);
  expect(runs).toEqual([expect.stringMatching(/width-0\.5$/), expect.stringMatching(/width-1$/)]);
  for (const size of ["0.5", "1"]) {
    const ofSize = candidates.filter(({ values }: { values: { width: string } }) => values.width === size);
    const best = Math.max(...ofSize.map(({ scores }: { scores: number[] }) => scores[0]!));
    expect(ofSize.find((candidate: { run?: string }) => candidate.run).scores[0]).toBe(best);
  }
  expect(merged.rows[1].overFirst.seeds).toEqual([1]);
  expect(await readFile(at("out/sweep.html"), "utf8")).toMatch(
    /int8 ms[\s\S]*Accuracy against size[\s\S]*Accuracy against work[\s\S]*Accuracy against latency/,
  );
  for (const cost of ["bytes", "macs", "milliseconds"]) {
    expect(await readFile(at(`out/front-${cost}.svg`), "utf8")).toMatch(/^<svg xmlns="http/);
  }

  const directories = runs.map((each: string) => at(join("out", each)));
  const together = await distillate(["report", ...directories, "-o", at("both"), "--json"]);
  // Only a search measures time, in turns.
  for (const { exported } of merged.rows)
    for (const file of Object.values<{ milliseconds?: number }>(exported)) {
      expect(file.milliseconds).toBeGreaterThan(0);
      delete file.milliseconds;
    }
  expect(JSON.parse(together.out).rows).toEqual(merged.rows);
  expect(await readFile(at("both.md"), "utf8")).toContain("| over the first run |");

  expect((await distillate([...run, "--budget", "2"])).status).toBe(2);
  expect((await distillate([...run, "--sweep", "depth=2"])).err).toMatch(/error sweep-invalid: .*no axis "depth"/);
});

test("threads that were asked for share the work: the same bytes as of one, and the report tells", async () => {
  const [shared, alone] = [await scratch({}), await scratch({})];
  expect(await distillate([...shared.run, "--workers", "2"])).toMatchObject({ err: "", status: 0 });
  expect((await distillate(alone.run)).status).toBe(0);
  const [one, two] = await Promise.all([alone, shared].map(({ at }) => readFile(at("out/student/seed-1/weights.bin"))));
  expect(two).toEqual(one);
  const workersIn = async ({ at }: typeof shared): Promise<readonly number[]> =>
    JSON.parse(await readFile(at("out/report.json"), "utf8")).curves.map(({ workers }: { workers: number }) => workers);
  expect(await workersIn(shared)).toEqual([2, 2, 2]);
  expect(await workersIn(alone)).toEqual([1, 1, 1]);
});
