import { describe, expect, test } from "vitest";
import { float, int, ints } from "../attr.ts";
import type { Feeds, Graph } from "../graph.ts";
import { nodeRunner } from "../node-runner.test.helper.ts";
import { decodeModel } from "../onnx/decode.ts";
import { encodeModel } from "../onnx/encode.ts";
import { printGraph } from "../print.ts";
import { floatTensor, scalar } from "../tensor.ts";
import { CALIBRATORS } from "./calibrate/index.ts";
import { compact } from "./compact.ts";
import { graphOf, METADATA, nodeOf, noise, optimizedOps, signalToNoise } from "./graphs.test.helper.ts";
import { quantize } from "./quantize.ts";
import type { RecipeInput } from "./recipe.ts";
import type { Quantized } from "./report.ts";

const window = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) };
/** conv - relu - [depthwise - relu6 - 1x1 conv - add] - relu - max pool - global average - flatten - gemm */
const graph = graphOf(
  ["batch", 3, 8, 8],
  [
    nodeOf("Conv", "conv", ["input", "w1", "b1"], window),
    nodeOf("Relu", "relu", ["conv"]),
    nodeOf("Conv", "depthwise", ["relu", "w2", "b2"], { ...window, group: int(4) }),
    nodeOf("Clip", "relu6", ["depthwise", "low", "high"]),
    nodeOf("Conv", "pointwise", ["relu6", "w3"], { kernel_shape: ints([1, 1]) }),
    nodeOf("Add", "sum", ["relu", "pointwise"]),
    nodeOf("Relu", "relu2", ["sum"]),
    nodeOf("MaxPool", "pool", ["relu2"], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
    nodeOf("GlobalAveragePool", "mean", ["pool"]),
    nodeOf("Flatten", "flat", ["mean"]),
    nodeOf("Gemm", "logits", ["flat", "w4", "b4"], { transB: int(1) }),
  ],
  {
    w1: noise([4, 3, 3, 3], 5),
    b1: noise([4], 6),
    w2: noise([4, 1, 3, 3], 7),
    b2: noise([4], 8),
    w3: noise([4, 4, 1, 1], 9),
    low: scalar(0),
    high: scalar(6),
    w4: noise([3, 4], 10),
    b4: noise([3], 11),
  },
);
const samples = [1, 2, 3, 4].map((seed): Feeds => ({ input: noise([2, 3, 8, 8], seed) }));
const quantized = (recipe: RecipeInput, of: Graph = graph, on = samples): Promise<Quantized> =>
  quantize(of, recipe, { run: nodeRunner, samples: () => on });

test("close to the float model, and all of it runs in integers", async () => {
  const { graph: integers, report } = await quantized({});
  expect(await signalToNoise(graph, integers, samples)).toBeGreaterThan(30);
  expect((await optimizedOps(encodeModel(integers, METADATA))).toSorted()).toEqual([
    "Flatten",
    "MaxPool",
    "QGemm",
    "QLinearAdd",
    "QLinearConv",
    "QLinearConv",
    "QLinearConv",
    "QLinearGlobalAveragePool",
    "QuantizeLinear",
  ]);
  const by = (tensor: string): unknown => report.tensors.find((one) => one.tensor === tensor);
  expect(report).toMatchObject({ preset: "int8", samples: 8 });
  expect(by("relu")).toMatchObject({ role: "activation", dtype: "uint8", zero: 0, reason: "measured" });
  expect(by("conv")).toMatchObject({ dtype: "float32", reason: "fused-into-next" });
  expect(by("pool")).toMatchObject({ reason: "shares-scale" });
  expect(by("logits")).toMatchObject({ dtype: "float32", reason: "float-output" });
  expect(by("w1")).toMatchObject({ role: "weight", dtype: "int8", reason: "per-channel" });
  expect(by("b1")).toMatchObject({ role: "bias", dtype: "int32", reason: "from-scales" });
});

test("weights of 7 bits stay within 63", async () => {
  const { graph: integers } = await quantized({ preset: "int8-7bit" });
  const weights = [...integers.constants].filter(([name, { dtype }]) => dtype === "int8" && name.endsWith("/q"));
  expect(weights).toHaveLength(4);
  for (const [, { bytes }] of weights) expect(Math.max(...new Int8Array(bytes).map(Math.abs))).toBe(63);
  expect(await signalToNoise(graph, integers, samples)).toBeGreaterThan(25);
});

test("the file made small reads back as the same model", async () => {
  const { graph: integers } = await quantized({});
  const [long, short] = [encodeModel(integers, METADATA), encodeModel(compact(integers), METADATA)];
  expect(short.byteLength).toBeLessThan(0.75 * long.byteLength);
  const { graph: read } = decodeModel(short);
  expect(read.values.size).toBe(integers.values.size);
  expect(read.nodes.filter(({ op }) => op === "Conv").map(({ name }) => name)).toEqual([
    "conv",
    "depthwise",
    "pointwise",
  ]);
  const exact = await signalToNoise(integers, read, samples);
  expect(exact).toBe(Number.POSITIVE_INFINITY);
});

describe("rules", () => {
  test("a node kept in float stays so in onnxruntime, between pairs and behind a Relu", async () => {
    const rules = [
      { node: "^pointwise$", precision: "float" },
      { node: "^conv$", precision: "float" },
    ] as const;
    const { graph: integers, report } = await quantized({ rules: [...rules] });
    const ops = await optimizedOps(encodeModel(integers, METADATA));
    expect(ops.filter((op) => op === "QLinearConv")).toHaveLength(1);
    expect(ops.filter((op) => op === "Conv" || op === "FusedConv")).toHaveLength(2);
    expect(report.tensors.find(({ tensor }) => tensor === "pointwise")).toMatchObject({ dtype: "uint8" });
    const { constants } = decodeModel(encodeModel(integers, METADATA)).graph;
    expect(constants.get("w3")).toMatchObject({ dtype: "float32" });
    expect(await signalToNoise(graph, integers, samples)).toBeGreaterThan(30);
  });

  test("by op, by name; the last one stands; one scale a tensor", async () => {
    const { report } = await quantized({
      rules: [
        { op: "Conv", granularity: "per-tensor" },
        { node: "wise", granularity: "per-channel" },
      ],
    });
    const reasons = Object.fromEntries(
      report.tensors.filter(({ role }) => role === "weight").map(({ tensor, reason }) => [tensor, reason]),
    );
    expect(reasons).toEqual({ w1: "per-tensor", w2: "per-channel", w3: "per-channel", w4: "per-channel" });
  });

  test("a calibrator for one tensor", async () => {
    const range = async (recipe: RecipeInput): Promise<number> =>
      (await quantized(recipe)).report.tensors.find(({ tensor }) => tensor === "relu2")!.range!.max;
    const rules = [{ tensor: "^relu2$", calibrator: { kind: "percentile", percent: 80 } }] as const;
    expect(await range({ rules: [...rules] })).toBeLessThan(0.9 * (await range({})));
    expect(
      (await quantized({ rules: [...rules] })).report.tensors.find(({ tensor }) => tensor === "relu")!.range,
    ).toEqual((await quantized({})).report.tensors.find(({ tensor }) => tensor === "relu")!.range);
  });

  test("what is no recipe is said, all of it", async () => {
    const wrong = { preset: "int3", rules: [{ node: "(" }], other: 1 } as unknown as RecipeInput;
    await expect(quantized(wrong)).rejects.toMatchObject({
      code: "recipe-invalid",
      message: expect.stringMatching(/preset.*rules.*other/),
    });
  });
});

describe("samples", () => {
  test("none, of another shape, missing, and not finite are named", async () => {
    const on = (input: Feeds): Promise<unknown> => quantized({}, graph, [input]);
    await expect(quantized({}, graph, [])).rejects.toMatchObject({ code: "calibration-empty" });
    await expect(on({ input: noise([1, 3, 8, 9], 1) })).rejects.toMatchObject({
      code: "calibration-mismatch",
      message: expect.stringContaining("[1, 3, 8, 9], expected [batch, 3, 8, 8]"),
    });
    await expect(on({})).rejects.toMatchObject({
      code: "calibration-mismatch",
      message: expect.stringContaining("input is missing"),
    });
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const input = floatTensor(new Float32Array(192).fill(value), [1, 3, 8, 8]);
      await expect(on({ input })).rejects.toMatchObject({
        code: "calibration-not-finite",
        message: expect.stringContaining(`${value}`),
      });
    }
    // The sample is fine; the network overflows on it.
    const huge = floatTensor(new Float32Array(192).fill(3e38), [1, 3, 8, 8]);
    await expect(on({ input: huge })).rejects.toMatchObject({
      code: "calibration-not-finite",
      message: expect.stringMatching(/relu|sum/),
    });
  });

  // Calibrators that need only the ends of a tensor have the runtime look for them.
  describe.each(CALIBRATORS)("with %s", (calibrator) => {
    const on = (values: Float32Array, rows: number): Promise<Quantized> =>
      quantized({ calibrator }, rooted, [{ input: floatTensor(values, [rows, 1, 4, 4]) }]);
    /** A root, which is not a number below zero, then a sum of it and itself. */
    const rooted = graphOf(
      ["batch", 1, 4, 4],
      [
        nodeOf("Sqrt", "root", ["input"]),
        nodeOf("Conv", "conv", ["root", "w"], { kernel_shape: ints([1, 1]) }),
        nodeOf("Add", "logits", ["conv", "conv"]),
      ],
      { w: floatTensor(Float32Array.of(1), [1, 1, 1, 1]) },
    );

    test("one value inside the network that is not finite, among many that are", async () => {
      for (const [value, text] of [
        [-1, "root is NaN"],
        [Number.POSITIVE_INFINITY, "root is Infinity"],
      ] as const) {
        const values = new Float32Array(640).fill(0.5);
        values[333] = value;
        await expect(on(values, 40)).rejects.toMatchObject({
          code: "calibration-not-finite",
          message: expect.stringContaining(text),
        });
      }
    });

    test("finite values whose sum is not are no fault", async () => {
      const scaled = graphOf(
        ["batch", 1, 4, 4],
        [
          nodeOf("Mul", "large", ["input", "ten"]),
          nodeOf("Conv", "logits", ["large", "w"], { kernel_shape: ints([1, 1]) }),
        ],
        { ten: scalar(10), w: floatTensor(Float32Array.of(1e-30), [1, 1, 1, 1]) },
      );
      const input = floatTensor(new Float32Array(640).fill(1e37), [40, 1, 4, 4]);
      const { report } = await quantized({ calibrator }, scaled, [{ input }]);
      const { range } = report.tensors.find(({ tensor }) => tensor === "large")!;
      expect(range!.max / 1e38).toBeCloseTo(1, 1);
    });

    test("a single one, one that is zero throughout, and a channel that is constant", async () => {
      const one = [{ input: noise([1, 3, 8, 8], 1) }];
      expect(await signalToNoise(graph, (await quantized({ calibrator }, graph, one)).graph, one)).toBeGreaterThan(20);
      const nothing = [{ input: floatTensor(new Float32Array(192), [1, 3, 8, 8]) }];
      const { graph: zero } = await quantized({ calibrator }, graph, nothing);
      expect(await signalToNoise(graph, zero, nothing)).toBeGreaterThan(28);
      const flat = [
        {
          input: floatTensor(
            Float32Array.from({ length: 192 }, (_, i) => (i < 64 ? 0.5 : Math.sin(i))),
            [1, 3, 8, 8],
          ),
        },
      ];
      expect(await signalToNoise(graph, (await quantized({ calibrator }, graph, flat)).graph, flat)).toBeGreaterThan(
        20,
      );
    });
  });
});

describe("hard weights", () => {
  const conv = (w: Float32Array, b: Float32Array, after: readonly ReturnType<typeof nodeOf>[] = []): Graph =>
    graphOf(
      ["batch", 1, 4, 4],
      [
        nodeOf("Conv", after.length > 0 ? "conv" : "logits", ["input", "w", "b"], { kernel_shape: ints([1, 1]) }),
        ...after,
      ],
      {
        w: floatTensor(w, [w.length, 1, 1, 1]),
        b: floatTensor(b, [b.length]),
        c: noise([b.length], 4),
      },
    );
  const on = [{ input: noise([2, 1, 4, 4], 1) }];

  test("a channel without weights keeps its bias", async () => {
    const float = conv(Float32Array.of(0, 0.5), Float32Array.of(0.3, -0.2));
    expect(await signalToNoise(float, (await quantized({}, float, on)).graph, on)).toBeGreaterThan(40);
  });

  test("a bias a million times larger than its weights", async () => {
    const float = conv(Float32Array.of(1e-6, 1), Float32Array.of(50, -0.2));
    expect(await signalToNoise(float, (await quantized({}, float, on)).graph, on)).toBeGreaterThan(40);
  });

  test("weights and inputs near the end of float32", async () => {
    const float = conv(Float32Array.of(1e-30, 0), Float32Array.of(0, 0));
    const { graph: integers } = await quantized({}, float, on);
    const model = await nodeRunner(encodeModel(integers, METADATA));
    const [output] = Object.values(await model.run(on[0]!));
    await model.dispose();
    expect(new Float32Array(output!.bytes.buffer).every((value) => Math.abs(value) < 1e-6)).toBe(true);
  });

  test("one weight that two nodes read, each with its own bias", async () => {
    const float = conv(Float32Array.of(1, -0.5, 2), Float32Array.of(0.1, 0.2, 0.3), [
      nodeOf("Conv", "other", ["input", "w", "c"], { kernel_shape: ints([1, 1]) }),
      nodeOf("Add", "logits", ["conv", "other"]),
    ]);
    expect(await signalToNoise(float, (await quantized({}, float, on)).graph, on)).toBeGreaterThan(35);
  });
});

test("a Gemm whose form has no integer kernel stays float, and the report says why", async () => {
  const plain = graphOf(["batch", 4], [nodeOf("Gemm", "logits", ["input", "w"], { alpha: float(2) })], {
    w: noise([4, 3], 1),
  });
  const { report, graph: integers } = await quantized({}, plain, [{ input: noise([2, 4], 1) }]);
  expect(report.tensors.find(({ tensor }) => tensor === "logits")).toMatchObject({
    dtype: "float32",
    reason: "form-not-quantised",
  });
  expect(printGraph(integers)).not.toContain("QuantizeLinear");
});

test("a model that is quantised already is refused", async () => {
  await expect(quantized({}, (await quantized({})).graph)).rejects.toMatchObject({ code: "already-quantised" });
});

describe("forms from elsewhere", () => {
  const on = [1, 2].map((seed): Feeds => ({ input: noise([2, 4, 4, 4], seed) }));
  const conv = (name: string, from: string): ReturnType<typeof nodeOf> => nodeOf("Conv", name, [from, "w"]);
  const kernel = { w: noise([3, 2, 1, 1], 5) };

  test("an op of several outputs feeds integers", async () => {
    const split = { ...nodeOf("Split", "a", ["input"], { axis: int(1) }), outputs: ["a", "b"] };
    const float = graphOf(
      ["batch", 4, 4, 4],
      [split, conv("left", "a"), conv("right", "b"), nodeOf("Add", "logits", ["left", "right"])],
      kernel,
    );
    const { graph: integers } = await quantized({}, float, on);
    expect(await signalToNoise(float, integers, on)).toBeGreaterThan(30);
    const ops = await optimizedOps(encodeModel(integers, METADATA));
    expect(ops.filter((op) => op === "QLinearConv")).toHaveLength(2);
    expect(ops).toContain("QLinearAdd");
  });

  test("a product with a vector, or of a constant, stays float", async () => {
    const float = graphOf(
      ["batch", 4, 4, 4],
      [
        nodeOf("MatMul", "rows", ["input", "vector"]),
        nodeOf("MatMul", "table", ["fixed", "other"]),
        nodeOf("Add", "logits", ["rows", "table"]),
      ],
      { vector: noise([4], 1), fixed: noise([4, 3], 2), other: noise([3, 4], 3) },
    );
    const { graph: same, report } = await quantized({}, float, on);
    for (const tensor of ["rows", "table"])
      expect(report.tensors.find((one) => one.tensor === tensor)).toMatchObject({ role: "activation" });
    expect(same.constants.get("vector")).toBe(float.constants.get("vector"));
    expect(await signalToNoise(float, same, on)).toBeGreaterThan(30);
  });

  test("a Relu6 that is full to its brim fuses", async () => {
    const wide = { w: noise([3, 4, 1, 1], 5, 40), low: scalar(0), high: scalar(6), v: noise([2, 3, 1, 1], 6) };
    const nodes = [conv("x", "input"), nodeOf("Clip", "y", ["x", "low", "high"]), nodeOf("Conv", "logits", ["y", "v"])];
    const { graph: integers } = await quantized({}, graphOf(["batch", 4, 4, 4], nodes, wide), on);
    const ops = await optimizedOps(encodeModel(integers, METADATA));
    expect(ops.toSorted()).toEqual(["DequantizeLinear", "QLinearConv", "QLinearConv", "QuantizeLinear"]);
  });
});
