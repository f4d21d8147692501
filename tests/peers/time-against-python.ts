/**
 * `pnpm bench:peers [FILE.onnx ...] [--seconds 4] [--threads 1] [--json FILE]`
 *
 * The same files in our benchmark's onnxruntime-node, in a bare loop around onnxruntime-node and in Python's onnxruntime, block by block
 * in turns; the latter two time themselves. The bare loop shows what our benchmark adds, Python what the way through JavaScript costs.
 * Without files: models in the sizes that recipes ship. Python needs tests/peers/requirements.txt; without it the loop alone is measured.
 */
import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { besideYardstick, type Yardstick } from "./yardstick.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "4" },
    threads: { type: "string", default: "1" },
    json: { type: "string" },
  },
});
const threads = Number(values.threads);
const seconds = Number(values.seconds);
const python = [process.env.DISTILLATE_PYTHON, new URL("./.venv/bin/python", import.meta.url).pathname, "python3"].find(
  (path) => {
    if (path === undefined) return false;
    try {
      execFileSync(path, ["-c", "import onnxruntime, numpy"], { stdio: "ignore" });
      return true;
    } catch {
      // This one hasn't got it.
      return false;
    }
  },
);

/** A process that holds the model and times a block of calls for each line that it is sent. */
async function timeInProcess(name: string, interpreter: string, script: string, path: string): Promise<Yardstick> {
  const file = new URL(script, import.meta.url).pathname;
  const child = spawn(interpreter, [file, path, String(threads)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${name} ended while it timed ${path}`);
    return value;
  };
  await answer();
  return {
    name,
    async block(milliseconds) {
      child.stdin.write(`${milliseconds}\n`);
      return JSON.parse(await answer()) as readonly number[];
    },
    close: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.stdin.end();
      }),
  };
}

let version = "";
if (python === undefined) {
  console.log("Python is left out: it needs tests/peers/requirements.txt (onnxruntime, numpy)");
} else {
  version = execFileSync(python, ["-c", "import onnxruntime; print(onnxruntime.__version__)"], { encoding: "utf8" });
}
await besideYardstick({
  command: `pnpm bench:peers --seconds ${seconds} --threads ${threads}`,
  place: "node",
  runtime: "onnxruntime-node",
  threads,
  seconds,
  files: positionals,
  json: values.json,
  open: ({ path }) =>
    Promise.all([
      timeInProcess("bare loop in Node", process.execPath, "./time-onnx.mjs", path),
      ...(python === undefined
        ? []
        : [timeInProcess(`Python's onnxruntime ${version.trim()}`, python, "./time_onnx.py", path)]),
    ]),
});
