/** What this device and page can do, and why not where they cannot. Nothing is downloaded to find out. */

/** Facts about the place where the code runs. */
export interface Capabilities {
  readonly webAssembly: boolean;
  readonly workers: boolean;
  readonly cores: number;
  /** Threads that WebAssembly may use; 1 where the page is not cross-origin isolated. */
  readonly threads: { readonly usable: number; readonly reason: string };
  readonly webgpu:
    | { readonly available: true; readonly adapter: string; readonly float16: boolean; readonly software: boolean }
    | { readonly available: false; readonly reason: string };
  /** Safari, and every browser on iOS. */
  readonly webkit: boolean;
  /** Without it there is neither a cache nor WebGPU. */
  readonly secureContext: boolean;
}

interface Adapter {
  readonly info?: { vendor?: string; architecture?: string; description?: string; isFallbackAdapter?: boolean };
  readonly isFallbackAdapter?: boolean;
  readonly features: { has(name: string): boolean };
}

/** Asked once a page: a browser without an adapter says so in the console each time. */
let webgpu: Promise<Capabilities["webgpu"]> | undefined;

/** Looks around. */
export async function capabilities(): Promise<Capabilities> {
  const agent = globalThis.navigator?.userAgent ?? "";
  const webkit = /AppleWebKit/.test(agent) && !/Chrom(e|ium)|Edg\//.test(agent);
  const cores = globalThis.navigator?.hardwareConcurrency ?? 1;
  webgpu ??= findWebgpu(webkit);
  return {
    webAssembly: typeof WebAssembly === "object",
    workers: typeof Worker === "function",
    cores,
    threads: usableThreads(cores, webkit),
    webgpu: await webgpu,
    webkit,
    secureContext: globalThis.isSecureContext ?? true,
  };
}

function usableThreads(cores: number, webkit: boolean): Capabilities["threads"] {
  if (globalThis.crossOriginIsolated !== true) {
    return { usable: 1, reason: "the page is not cross-origin isolated (headers COOP and COEP)" };
  }
  // onnxruntime#11679: the threaded build runs out of memory while it starts.
  if (webkit && /iP(hone|ad|od)/.test(navigator.userAgent)) return { usable: 1, reason: "iOS fails to start threads" };
  // All cores make the slowest of them everybody's pace.
  return { usable: Math.max(1, Math.min(4, Math.ceil(cores / 2))), reason: `half of ${cores} cores, at most 4` };
}

async function findWebgpu(webkit: boolean): Promise<Capabilities["webgpu"]> {
  // onnxruntime#26827: this build takes all cores and memory there.
  if (webkit) return { available: false, reason: "WebKit runs onnxruntime's WebGPU build badly" };
  const gpu = (globalThis.navigator as { gpu?: { requestAdapter(): Promise<Adapter | null> } } | undefined)?.gpu;
  if (!gpu) return { available: false, reason: "this browser or page has no WebGPU" };
  try {
    const adapter = await gpu.requestAdapter();
    if (!adapter) return { available: false, reason: "there is no graphics adapter" };
    const { vendor = "", architecture = "", description = "" } = adapter.info ?? {};
    const name = [vendor, architecture, description].filter(Boolean).join(" ") || "unnamed";
    return {
      available: true,
      adapter: name,
      float16: adapter.features.has("shader-f16"),
      software: adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? /swiftshader/i.test(name),
    };
  } catch (error) {
    return { available: false, reason: (error as Error).message };
  }
}
