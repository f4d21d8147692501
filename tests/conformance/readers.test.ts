/** Others read our files: onnxruntime-node against onnxruntime-web, and onnx's own checker in Python. */
import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { onnx as schema } from "onnx-proto";
import * as node from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { beforeAll, describe, expect, test } from "vitest";
import { type ExportedModel, exportedModels } from "../fixtures/exported-models.ts";

const VARIANTS = ["fp32", "int8"] as const;
let models: readonly ExportedModel[];

beforeAll(async () => {
  web.env.wasm.numThreads = 1;
  models = await exportedModels();
});

type Runtime = Pick<typeof node, "InferenceSession" | "Tensor">;

async function outputOf(
  { InferenceSession, Tensor }: Runtime,
  onnx: Uint8Array,
  model: ExportedModel,
): Promise<Float32Array> {
  const session = await InferenceSession.create(onnx, { graphOptimizationLevel: "all", logSeverityLevel: 3 });
  const feeds = { input: new Tensor("float32", model.input, model.shape) };
  const output = (await session.run(feeds))[session.outputNames[0]!]!;
  await session.release();
  return output.data as Float32Array;
}

describe.each(["cnn", "ds-cnn", "resnet-8", "resnet-9"])("%s", (name) => {
  const find = (): ExportedModel => models.find((model) => model.name === name)!;

  test.each(VARIANTS)("%s: onnxruntime-node and onnxruntime-web load it and agree", async (variant) => {
    const model = find();
    const onnx = model.files[variant];
    const [one, other] = [await outputOf(node, onnx, model), await outputOf(web as unknown as Runtime, onnx, model)];
    const size = Math.max(...one.map(Math.abs));
    const difference = Math.max(...one.map((value, i) => Math.abs(value - other[i]!)));
    expect(one.length).toBe(40);
    // Integer kernels round at other places from build to build; a step of an activation is about a hundredth of its range.
    expect(difference / size).toBeLessThan(variant === "fp32" ? 1e-5 : 0.05);
  });

  test.each(VARIANTS)("%s: onnx-proto decodes it: opset 17, no Transpose, every computed value typed", (variant) => {
    const { graph, opsetImport } = schema.ModelProto.decode(find().files[variant]);
    expect(Number(opsetImport[0]!.version)).toBe(17);
    const ops = graph!.node!.map(({ opType }) => opType);
    expect(ops).not.toContain("Transpose");
    expect(ops.includes("QuantizeLinear")).toBe(variant === "int8");
    const typed = new Set([...graph!.valueInfo!, ...graph!.output!].map((value) => value.name));
    // What a pair writes has the type of what it reads: the int8 file leaves it to its reader.
    const shown = graph!.node!.filter(({ opType }) => !/^(Dequantize|Quantize)Linear$/.test(opType!));
    expect(shown.length).toBeGreaterThan(4);
    for (const { output } of shown) for (const edge of output!) expect(typed).toContain(edge);
  });
});

const PYTHON = [new URL("../peers/.venv/bin/python", import.meta.url).pathname, "python3"].find(hasOnnx);

function hasOnnx(python: string): boolean {
  if (python.includes("/") && !existsSync(python)) return false;
  try {
    execFileSync(python, ["-c", "import onnx"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test.skipIf(PYTHON === undefined)(
  "onnx.checker with full shape inference accepts every file (needs Python with tests/peers/requirements.txt)",
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "distillate-checker-"));
    const paths: string[] = [];
    for (const { name, files } of models) {
      for (const variant of VARIANTS) {
        const path = join(directory, `${name}.${variant}.onnx`);
        await writeFile(path, files[variant]);
        paths.push(path);
      }
    }
    const script = new URL("../peers/check_onnx.py", import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(PYTHON!, [script, ...paths]);
    const found = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { path: string; outputs: object });
    expect(found.map(({ path }) => path)).toEqual(paths);
    for (const { outputs } of found) expect(Object.values(outputs)).toEqual([["batch", 10]]);
  },
);
