/**
 * Which file runs on which backend. The plan is a list to be tried from the top: what was measured comes first, and what cannot
 * work here is left out with its reason. Nothing is trusted before its self-test.
 */
import type { Manifest, Variant } from "@distillate/bundle";
import type { BackendName } from "./backends/backend.ts";
import type { Capabilities } from "./capabilities.ts";

/** One way to run a model. */
export interface Candidate {
  readonly backend: BackendName;
  readonly variant: Variant["id"];
  readonly threads: number;
}

/** A way that was left out or failed. */
export interface Refusal {
  readonly backend: BackendName;
  readonly variant?: Variant["id"];
  readonly reason: string;
}

/** What to try, in order, and what not. */
export interface Plan {
  readonly candidates: readonly Candidate[];
  readonly refused: readonly Refusal[];
}

/** What a caller may decide. */
export interface PlanWishes {
  readonly backend: BackendName | "auto";
  readonly variant: Variant["id"] | "auto";
  readonly threads: number | "auto";
  /** What served here the last time. */
  readonly remembered?: Candidate | undefined;
}

/** The order where nothing was measured. A small model is done on the CPU before a GPU has begun. */
const BACKEND_ORDER: readonly BackendName[] = ["node", "wasm", "webgpu"];
const VARIANT_ORDER: { readonly [Name in BackendName]: readonly Variant["id"][] } = {
  node: ["int8", "int8-weights", "fp32", "fp16"],
  wasm: ["int8", "int8-weights", "fp32", "fp16"],
  // Integer kernels are missing there, and every missing one goes back to the CPU and again to the GPU.
  webgpu: ["fp16", "fp32", "int8-weights", "int8"],
};

/** Below this many bytes of a model, handing work to threads costs more than it saves. */
const WORTH_THREADS = 4 * 1024 * 1024;

/** Makes the plan. Pure: the same facts and wishes give the same plan. */
export function planCandidates(
  { variants }: Pick<Manifest, "variants">,
  facts: Capabilities,
  available: readonly BackendName[],
  wishes: PlanWishes,
): Plan {
  const refused: Refusal[] = [];
  const backends = BACKEND_ORDER.filter((name) => {
    if (wishes.backend !== "auto" && wishes.backend !== name) return false;
    const reason = available.includes(name) ? unusable(name, facts) : "it is not part of this entry of the package";
    // Of what nobody asked for and nobody offers there is nothing to say.
    if (reason && (available.includes(name) || wishes.backend === name)) refused.push({ backend: name, reason });
    return reason === undefined;
  });
  if (wishes.threads !== "auto" && wishes.threads > facts.threads.usable && backends.includes("wasm")) {
    const { usable, reason } = facts.threads;
    refused.push({ backend: "wasm", reason: `${usable} of ${wishes.threads} threads: ${reason}` });
  }
  const ranked = backends.flatMap((backend) =>
    VARIANT_ORDER[backend]
      .map((id) => variants.find((variant) => variant.id === id))
      .filter((variant) => variant !== undefined)
      .filter(({ id }) => {
        if (wishes.variant !== "auto") return wishes.variant === id;
        if (id !== "fp16" || backend !== "webgpu" || (facts.webgpu.available && facts.webgpu.float16)) return true;
        refused.push({ backend, variant: id, reason: "this adapter has no 16-bit floats" });
        return false;
      })
      .map((variant, order) => ({ variant, backend, order, measured: variant.preferred?.indexOf(backend) ?? -1 })),
  );
  // First what was measured best, then the order above; sorting is stable.
  const rank = (entry: (typeof ranked)[number]): number =>
    entry.measured < 0 ? Number.MAX_SAFE_INTEGER : entry.measured;
  const candidates = [...ranked]
    .sort((a, b) => rank(a) - rank(b))
    .flatMap(({ backend, variant }) => {
      const most = threadsOf(backend, variant, facts, wishes.threads);
      // Where threads do not come up, one may.
      return [...new Set([most, 1])].map((threads): Candidate => ({ backend, variant: variant.id, threads }));
    });
  const { remembered } = wishes;
  const first = candidates.filter(
    ({ backend, variant, threads }) =>
      backend === remembered?.backend && variant === remembered.variant && threads === remembered.threads,
  );
  return { candidates: [...first, ...candidates.filter((candidate) => !first.includes(candidate))], refused };
}

/** WebGPU computes elsewhere; what it leaves to the CPU is not worth threads. */
function threadsOf(backend: BackendName, { file }: Variant, facts: Capabilities, wish: PlanWishes["threads"]): number {
  if (backend === "webgpu") return 1;
  if (wish === "auto") return file.bytes < WORTH_THREADS ? 1 : facts.threads.usable;
  return Math.max(1, Math.min(wish, facts.threads.usable));
}

function unusable(backend: BackendName, { webAssembly, webgpu }: Capabilities): string | undefined {
  if (backend === "wasm" && !webAssembly) return "this browser has no WebAssembly";
  if (backend === "webgpu" && !webgpu.available) return webgpu.reason;
  return undefined;
}
