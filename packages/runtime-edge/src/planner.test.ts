import type { Variant } from "@distillate/bundle";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BackendName } from "./backends/backend.ts";
import type { Capabilities } from "./capabilities.ts";
import { type Candidate, type PlanWishes, planCandidates } from "./planner.ts";

const BACKENDS: readonly BackendName[] = ["wasm", "webgpu", "node"];
const VARIANTS: readonly Variant["id"][] = ["fp32", "fp16", "int8", "int8-weights"];
const AUTO: PlanWishes = { backend: "auto", variant: "auto", threads: "auto" };
const DESKTOP: Capabilities = {
  webAssembly: true,
  workers: true,
  cores: 8,
  threads: { usable: 4, reason: "half of 8 cores, at most 4" },
  webgpu: { available: true, adapter: "test", float16: false, software: false },
  webkit: false,
  secureContext: true,
};

function variant(id: Variant["id"], bytes = 1000, preferred?: readonly BackendName[]): Variant {
  const file = { path: `${id}.onnx`, bytes, sha256: "0".repeat(64) };
  return { id, file, opset: 17, ...(preferred ? { preferred: [...preferred] } : {}) };
}

function names(candidates: readonly Candidate[]): readonly string[] {
  return candidates.map(({ backend, variant: id, threads }) => `${backend} ${id} ${threads}`);
}

const variantLists = fc
  .subarray([...VARIANTS], { minLength: 1 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((id) =>
        fc
          .tuple(fc.integer({ min: 1, max: 20_000_000 }), fc.option(fc.shuffledSubarray([...BACKENDS])))
          .map(([bytes, preferred]) => variant(id, bytes, preferred ?? undefined)),
      ),
    ),
  );
const factsOf: fc.Arbitrary<Capabilities> = fc
  .record({ webAssembly: fc.boolean(), usable: fc.integer({ min: 1, max: 4 }), gpu: fc.boolean(), half: fc.boolean() })
  .map(({ webAssembly, usable, gpu, half }) => ({
    ...DESKTOP,
    webAssembly,
    threads: { usable, reason: "test" },
    webgpu: gpu
      ? { available: true, adapter: "test", float16: half, software: false }
      : { available: false, reason: "none" },
  }));
const wishesOf: fc.Arbitrary<PlanWishes> = fc.record({
  backend: fc.constantFrom("auto" as const, ...BACKENDS),
  variant: fc.constantFrom("auto" as const, ...VARIANTS),
  threads: fc.oneof(fc.constant("auto" as const), fc.integer({ min: 1, max: 64 })),
  remembered: fc.option(
    fc.record({
      backend: fc.constantFrom(...BACKENDS),
      variant: fc.constantFrom(...VARIANTS),
      threads: fc.integer({ min: 1, max: 4 }),
    }),
    { nil: undefined },
  ),
});

describe("planner", () => {
  test("every plan keeps to what there is, what was wished, and what the device can do", () => {
    fc.assert(
      fc.property(variantLists, factsOf, fc.subarray([...BACKENDS]), wishesOf, (variants, facts, available, wishes) => {
        const { candidates, refused } = planCandidates({ variants: [...variants] }, facts, available, wishes);
        expect(new Set(names(candidates)).size).toBe(candidates.length);
        for (const { backend, variant: id, threads } of candidates) {
          expect(available).toContain(backend);
          expect(variants.map((each) => each.id)).toContain(id);
          if (wishes.backend !== "auto") expect(backend).toBe(wishes.backend);
          if (wishes.variant !== "auto") expect(id).toBe(wishes.variant);
          if (backend === "wasm") expect(facts.webAssembly).toBe(true);
          if (backend === "webgpu") expect(facts.webgpu.available).toBe(true);
          expect(threads).toBeGreaterThanOrEqual(1);
          expect(threads).toBeLessThanOrEqual(facts.threads.usable);
          if (wishes.threads !== "auto") expect(threads).toBeLessThanOrEqual(wishes.threads);
          // One thread is always tried before a way is given up.
          expect(names(candidates)).toContain(`${backend} ${id} 1`);
        }
        const before = wishes.remembered && names([wishes.remembered])[0]!;
        if (before && names(candidates).includes(before)) expect(names(candidates)[0]).toBe(before);
        for (const { reason } of refused) expect(reason).not.toBe("");
        if (wishes.backend !== "auto" && candidates.length === 0 && wishes.variant === "auto") {
          expect(refused.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  test("without measurements: the small integer model on the CPU first, floats first on the GPU", () => {
    const plan = planCandidates({ variants: [variant("fp32"), variant("int8")] }, DESKTOP, ["wasm", "webgpu"], AUTO);
    expect(names(plan.candidates)).toEqual(["wasm int8 1", "wasm fp32 1", "webgpu fp32 1", "webgpu int8 1"]);
  });

  test("what was measured best comes first", () => {
    const variants = [variant("fp32", 1000, ["webgpu", "wasm"]), variant("int8")];
    const plan = planCandidates({ variants }, DESKTOP, ["wasm", "webgpu"], AUTO);
    expect(names(plan.candidates)).toEqual(["webgpu fp32 1", "wasm fp32 1", "wasm int8 1", "webgpu int8 1"]);
  });

  test("threads: one for small models, more for large ones, each followed by one thread alone", () => {
    const large = { variants: [variant("fp32", 14_000_000)] };
    expect(names(planCandidates(large, DESKTOP, ["wasm"], AUTO).candidates)).toEqual(["wasm fp32 4", "wasm fp32 1"]);
    const small = { variants: [variant("fp32", 900_000)] };
    expect(names(planCandidates(small, DESKTOP, ["wasm"], AUTO).candidates)).toEqual(["wasm fp32 1"]);
    const asked = planCandidates(small, DESKTOP, ["wasm"], { ...AUTO, threads: 2 });
    expect(names(asked.candidates)).toEqual(["wasm fp32 2", "wasm fp32 1"]);
  });

  test("threads that the page may not use are refused with the reason", () => {
    const facts = { ...DESKTOP, threads: { usable: 1, reason: "the page is not cross-origin isolated" } };
    const plan = planCandidates({ variants: [variant("fp32")] }, facts, ["wasm"], { ...AUTO, threads: 4 });
    expect(names(plan.candidates)).toEqual(["wasm fp32 1"]);
    expect(plan.refused).toEqual([
      { backend: "wasm", reason: "1 of 4 threads: the page is not cross-origin isolated" },
    ]);
  });

  test("half floats need an adapter that has them", () => {
    const variants = [variant("fp16"), variant("fp32")];
    const plan = planCandidates({ variants }, DESKTOP, ["webgpu"], AUTO);
    expect(names(plan.candidates)).toEqual(["webgpu fp32 1"]);
    expect(plan.refused).toEqual([{ backend: "webgpu", variant: "fp16", reason: "this adapter has no 16-bit floats" }]);
  });
});
