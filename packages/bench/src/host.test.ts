import { DistillateError } from "@distillate/bundle";
import { expect, test } from "vitest";
import { type Clock, systemClock } from "./clock.ts";
import { createHost, type Host } from "./host.ts";
import { answer, type Connection, revivingHost, unpack } from "./host-protocol.ts";
import { type Onnxruntime, openSession, rowsOf } from "./session.ts";
import type { InputSet, OpenTarget, TargetSpec } from "./target.ts";

const INPUTS: InputSet = {
  samples: 3,
  tensors: [{ name: "x", dtype: "float32", row: [2], data: Float32Array.of(0, 1, 2, 3, 4, 5) }],
};
const spec = (id: string, runtime = "fake"): TargetSpec => ({
  id,
  model: id,
  runtime,
  place: "node",
  threads: 1,
  source: "",
});

/** A clock that each call of the target moves by its milliseconds. */
function setting(callMilliseconds: () => number) {
  let time = 0;
  const clock: Clock = {
    now: () => time,
    async sleep(milliseconds) {
      // As timers do, it moves on even when asked for nothing.
      time += Math.max(0.5, milliseconds);
    },
  };
  const opener = async (): Promise<OpenTarget> => ({
    phases: { runtime: 7 },
    rowsPerCall: 2,
    prepare: (first, rows) => async () => {
      time += callMilliseconds();
      return Float32Array.from({ length: rows }, (_, i) => first + i);
    },
    close: async () => undefined,
  });
  const host = createHost({ openers: { fake: opener }, clock, memory: async () => ({ rss: 1 }) });
  return { host, clock };
}

test("a host opens, warms up, times and computes", async () => {
  const { host } = setting(() => 5);
  await host.setInputs(INPUTS);
  expect(await host.open(spec("a"))).toMatchObject({ phases: { runtime: 7, firstRun: 5 }, rowsPerCall: 2 });
  expect((await host.block("a", 20, 1)).samples).toEqual([5, 5, 5, 5]);
  // Two samples a call, the last call one.
  expect(await host.outputs("a", 3)).toEqual([0, 1, 2]);
  expect((await host.paced("a", 100, 4)).missed).toBe(0);
  await expect(host.open(spec("b", "none"))).rejects.toMatchObject({ code: "runtime-unknown" });
});

test("what a target holds more than after its first block is its growth; what happened to the place is the block's", async () => {
  let [tensors, wasmHeap] = [5, 100];
  let events: readonly string[] = ["hidden"];
  const opener = async (): Promise<OpenTarget> => ({
    phases: {},
    rowsPerCall: 1,
    tensors: () => tensors,
    prepare: () => async () => new Float32Array(1),
    close: async () => undefined,
  });
  const noticed = (): readonly string[] => {
    const found = events;
    events = [];
    return found;
  };
  const host = createHost({
    openers: { fake: opener },
    clock: systemClock,
    memory: async () => ({}),
    held: () => ({ wasmHeap }),
    noticed,
  });
  await host.setInputs(INPUTS);
  await host.open(spec("a"));
  tensors += 32;
  // It was hidden before the block.
  expect((await host.block("a", 2, 1)).noticed).toBeUndefined();
  expect(await host.growth("a")).toEqual({ rss: undefined, wasmHeap: 0, tensors: 0 });
  [tensors, wasmHeap] = [tensors + 7, 164];
  await host.block("a", 2, 1);
  expect(await host.growth("a")).toEqual({ rss: undefined, wasmHeap: 64, tensors: 7 });
});

test("errors keep their code across a connection; others get one", async () => {
  const failing = {
    memory: async () => Promise.reject(new DistillateError({ code: "x", message: "m", hint: "h" })),
    close: async () => Promise.reject(new Error("plain")),
  } as unknown as Host;
  expect(() => unpack({ error: { code: "x", message: "m", hint: "h" } })).toThrow(
    expect.objectContaining({ code: "x" }),
  );
  expect(await answer(failing, "memory", [])).toEqual({ error: { code: "x", message: "m", hint: "h" } });
  expect(await answer(failing, "close", [])).toMatchObject({ error: { code: "target-failed", message: "plain" } });
});

test("when a place dies, the others are opened again in a fresh one", async () => {
  const opened: string[][] = [];
  const connect = async (): Promise<Connection> => {
    const here: string[] = [];
    opened.push(here);
    let alive = true;
    return {
      get alive() {
        return alive;
      },
      async call(method, args) {
        if (method === "open") here.push((args[0] as TargetSpec).id);
        if (method === "block" && args[0] === "bad") {
          alive = false;
          throw new DistillateError({ code: "target-died", message: "", hint: "" });
        }
        return method;
      },
      end: async () => undefined,
    };
  };
  const host = revivingHost(INPUTS, connect);
  await host.open(spec("good"));
  await host.open(spec("bad"));
  await expect(host.block("bad", 1, 1)).rejects.toMatchObject({ code: "target-died" });
  expect(await host.block("good", 1, 1)).toBe("block");
  expect(opened).toEqual([["good", "bad"], ["good"]]);
});

test("rows wrap around at the end of the set", () => {
  expect([...(rowsOf(INPUTS.tensors[0]!, 2, 2) as Float32Array)]).toEqual([4, 5, 0, 1]);
});

test.each([
  [
    { name: "y", type: "float32", shape: ["n", 2] },
    /input "y" is float32 \[n, 2\], the input set has none of that name, but x/,
  ],
  [{ name: "x", type: "int64", shape: ["n", 2] }, /input "x" is int64 \[n, 2\], the input set has float32 \[n, 2\]/],
  [{ name: "x", type: "float32", shape: ["n", 3] }, /input "x" is float32 \[n, 3\]/],
  [{ name: "x", type: "float32", shape: [4, 2] }, /input "x" is float32 \[4, 2\]/],
])("a model that takes other inputs is refused with both shapes: %o", async (metadata, message) => {
  const session = { inputMetadata: [metadata], outputNames: ["z"] };
  const ort = { InferenceSession: { create: async () => session } } as unknown as Onnxruntime;
  await expect(openSession(ort, new Uint8Array(), {}, INPUTS, () => ({}))).rejects.toThrow(message);
});
