import { describe, expect, test } from "vitest";
import { type DeviceScope, describeDevice, findWebgpu } from "./capabilities.ts";

const NO_GPU = { available: false, reason: "not asked" } as const;
const WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)";

interface Device {
  readonly name: string;
  readonly agent: string;
  readonly touch?: number;
  readonly webkit: boolean;
  readonly ios: boolean;
}

const DEVICES: readonly Device[] = [
  {
    name: "Safari on an iPhone",
    agent: `Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) ${WEBKIT} Version/18.5 Mobile/15E148 Safari/604.1`,
    touch: 5,
    webkit: true,
    ios: true,
  },
  {
    name: "Chrome on an iPhone",
    agent: `Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) ${WEBKIT} CriOS/138.0.7204.53 Mobile/15E148 Safari/604.1`,
    touch: 5,
    webkit: true,
    ios: true,
  },
  {
    name: "an iPad, which calls itself a Macintosh",
    agent: `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${WEBKIT} Version/18.5 Safari/605.1.15`,
    touch: 5,
    webkit: true,
    ios: true,
  },
  {
    name: "Safari on a Mac",
    agent: `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${WEBKIT} Version/18.5 Safari/605.1.15`,
    webkit: true,
    ios: false,
  },
  {
    name: "Chrome on a Mac",
    agent:
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    webkit: false,
    ios: false,
  },
  {
    name: "headless Chrome",
    agent:
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/138.0.0.0 Safari/537.36",
    webkit: false,
    ios: false,
  },
  {
    name: "Edge",
    agent:
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
    webkit: false,
    ios: false,
  },
  {
    name: "a WebView on Android",
    agent:
      "Mozilla/5.0 (Linux; Android 15; Pixel 8; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/138.0.0.0 Mobile Safari/537.36",
    touch: 5,
    webkit: false,
    ios: false,
  },
  {
    name: "Firefox",
    agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    webkit: false,
    ios: false,
  },
];

function scopeOf({ agent, touch = 0 }: Device, cores: number, isolated = true): DeviceScope {
  const gpu = { requestAdapter: async () => ({ features: new Set(["shader-f16"]) }) };
  const navigator = { userAgent: agent, maxTouchPoints: touch, hardwareConcurrency: cores, gpu };
  return { navigator, WebAssembly: {}, Worker: class {}, crossOriginIsolated: isolated, isSecureContext: true };
}

describe.each(DEVICES)("$name", (device) => {
  test("WebKit gets no WebGPU build, all others may", async () => {
    expect(describeDevice(scopeOf(device, 8), NO_GPU).webkit).toBe(device.webkit);
    expect((await findWebgpu(scopeOf(device, 8))).available).toBe(!device.webkit);
  });

  test("threads: one on iOS, elsewhere half of the cores and at most four, one in a page that is not isolated", () => {
    const usable = (cores: number, isolated?: boolean): number =>
      describeDevice(scopeOf(device, cores, isolated), NO_GPU).threads.usable;
    expect([1, 2, 4, 6, 64].map((cores) => usable(cores))).toEqual(device.ios ? [1, 1, 1, 1, 1] : [1, 1, 2, 3, 4]);
    expect(usable(64, false)).toBe(1);
  });
});

test("an adapter that is refused, missing or broken is a reason, not an error", async () => {
  const scope = (requestAdapter: () => Promise<null>): DeviceScope => ({ navigator: { gpu: { requestAdapter } } });
  expect(await findWebgpu({})).toEqual({ available: false, reason: "this browser or page has no WebGPU" });
  expect(await findWebgpu(scope(async () => null))).toEqual({
    available: false,
    reason: "there is no graphics adapter",
  });
  const broken = scope(async () => {
    throw new Error("driver crashed");
  });
  expect(await findWebgpu(broken)).toEqual({ available: false, reason: "driver crashed" });
});

test("a place without anything is described without failing", () => {
  expect(describeDevice({}, NO_GPU)).toMatchObject({
    webAssembly: false,
    workers: false,
    cores: 1,
    threads: { usable: 1 },
  });
});
