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

/** What is looked at; a page's or worker's own scope, or a description of one. */
export interface DeviceScope {
  readonly navigator?: {
    readonly userAgent?: string;
    readonly hardwareConcurrency?: number;
    readonly maxTouchPoints?: number;
    readonly gpu?: { requestAdapter(): Promise<Adapter | null> };
  };
  readonly WebAssembly?: unknown;
  readonly Worker?: unknown;
  readonly crossOriginIsolated?: boolean;
  readonly isSecureContext?: boolean;
}

/** Asked once a page: a browser without an adapter says so in the console each time. */
let webgpu: Promise<Capabilities["webgpu"]> | undefined;

/** Looks around. */
export async function capabilities(): Promise<Capabilities> {
  const scope = globalThis as unknown as DeviceScope;
  webgpu ??= findWebgpu(scope);
  return describeDevice(scope, await webgpu);
}

/** The facts of a scope. */
export function describeDevice(scope: DeviceScope, webgpu: Capabilities["webgpu"]): Capabilities {
  const cores = scope.navigator?.hardwareConcurrency ?? 1;
  return {
    webAssembly: typeof scope.WebAssembly === "object",
    workers: typeof scope.Worker === "function",
    cores,
    threads: usableThreads(scope, cores),
    webgpu,
    webkit: isWebkit(scope),
    secureContext: scope.isSecureContext ?? true,
  };
}

/** Browsers of other names on iOS are WebKit too, and say neither Chrome nor Edg/ there. */
function isWebkit({ navigator }: DeviceScope): boolean {
  const agent = navigator?.userAgent ?? "";
  return /AppleWebKit/.test(agent) && !/Chrom(e|ium)\/|Edg\//.test(agent);
}

/** An iPad calls itself a Macintosh, but no Macintosh has a touch screen. */
function isIos(scope: DeviceScope): boolean {
  const { userAgent = "", maxTouchPoints = 0 } = scope.navigator ?? {};
  return isWebkit(scope) && (/iP(hone|ad|od)/.test(userAgent) || (/Macintosh/.test(userAgent) && maxTouchPoints > 1));
}

function usableThreads(scope: DeviceScope, cores: number): Capabilities["threads"] {
  if (scope.crossOriginIsolated !== true) {
    return { usable: 1, reason: "the page is not cross-origin isolated (headers COOP and COEP)" };
  }
  // onnxruntime#11679: the threaded build runs out of memory while it starts.
  if (isIos(scope)) return { usable: 1, reason: "iOS fails to start threads" };
  // All cores make the slowest of them everybody's pace.
  return { usable: Math.max(1, Math.min(4, Math.floor(cores / 2))), reason: `half of ${cores} cores, at most 4` };
}

/** Asks for an adapter, where that is worth it. */
export async function findWebgpu(scope: DeviceScope): Promise<Capabilities["webgpu"]> {
  // onnxruntime#26827: this build takes all cores and memory there.
  if (isWebkit(scope)) return { available: false, reason: "WebKit runs onnxruntime's WebGPU build badly" };
  const gpu = scope.navigator?.gpu;
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
