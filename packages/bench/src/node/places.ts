/** The places of a benchmark: one process for Node's targets, a page for each runtime and number of threads, each back when it died. */
import { DistillateError } from "@distillate/bundle";
import type { Browser } from "playwright-core";
import type { DeviceFacts } from "../device-protocol.ts";
import type { Host, ReenteredHost } from "../host.ts";
import { revivingHost } from "../host-protocol.ts";
import { rowsOf } from "../session.ts";
import type { InputSet, TargetSpec } from "../target.ts";
import { connectToChild } from "./child-connection.ts";
import { launchChromium } from "./chromium.ts";
import { openDeviceLine } from "./device-line.ts";
import { connectToPage } from "./page-connection.ts";
import { type PageServer, servePage } from "./page-server.ts";

/** Where targets run. */
export interface Places {
  readonly browserVersion: string | undefined;
  /** Why there is no graphics hardware for Chromium's pages; absent where there is some. */
  readonly webgpuMissing: string | undefined;
  /** What the device says of itself that runs the targets of place `page`. */
  readonly device: DeviceFacts | undefined;
  hostFor(spec: TargetSpec): Host;
  /** The same target with its source as its place reaches it. */
  located(spec: TargetSpec): TargetSpec;
  /** A host of its own, from nothing. */
  fresh(spec: TargetSpec): ReenteredHost;
  close(): Promise<void>;
}

/** Where a device finds its page. */
export interface DeviceOptions {
  readonly host: string;
  readonly port: number;
  /** Hears of the page before it is waited for: its port, and the one-time token for the address's fragment. */
  readonly onPage: (page: { readonly port: number; readonly token: string }) => void;
}

/** What places depend on. */
export interface PlacesOptions {
  readonly targets: readonly TargetSpec[];
  readonly inputs: InputSet;
  readonly softwareWebgpu: boolean;
  readonly execArgv?: readonly string[];
  readonly device?: DeviceOptions | undefined;
  readonly signal: AbortSignal;
}

/** Opens them; `onMissing` hears why there is no Chromium, when one is needed. */
export async function openPlaces(options: PlacesOptions, onMissing: (error: unknown) => void): Promise<Places> {
  const { inputs, targets, softwareWebgpu, execArgv } = options;
  let browser: Browser | undefined;
  let server: PageServer | undefined;
  let webgpuMissing: string | undefined;
  if (targets.some(({ place }) => place === "chromium")) {
    try {
      // Each is kept as soon as it is there: what one of them leaves open when the other fails is closed at the end.
      const [started, served] = await Promise.all([
        launchChromium({ softwareWebgpu }).then((found) => (browser = found)),
        servePage(inputs).then((found) => (server = found)),
      ]);
      if (targets.some(({ runtime }) => runtime === "onnxruntime-web-webgpu")) {
        webgpuMissing = await findGpu(started, urlOf(served));
      }
    } catch (error) {
      onMissing(error);
    }
  }
  const line = targets.some(({ place }) => place === "page") ? openDeviceLine() : undefined;
  let deviceServer: PageServer | undefined;
  let device: DeviceFacts | undefined;
  if (line !== undefined) {
    if (options.device === undefined) throw notServed();
    deviceServer = await servePage(inputs, { ...options.device, line });
    options.device.onPage({ port: deviceServer.port, token: line.token });
    const stop = new Promise<never>((_, reject) => {
      options.signal.addEventListener("abort", () => reject(options.signal.reason), { once: true });
    });
    try {
      ({ facts: device } = await Promise.race([line.connect(), stop]));
    } catch (error) {
      await line.end();
      await deviceServer.close();
      throw error;
    }
  }
  const child = (given = inputs): ReenteredHost => revivingHost(given, () => connectToChild(execArgv));
  const page = (): ReenteredHost => revivingHost(inputs, () => connectToPage(browser!, urlOf(server!)));
  const onDevice = line && revivingHost(inputs, () => line.connect());
  const serverOf = ({ place }: TargetSpec): PageServer => (place === "page" ? deviceServer! : server!);
  const hosts = new Map<string, Host>();
  const addresses = new Map<string, string>();
  return {
    browserVersion: browser?.version(),
    webgpuMissing,
    device,
    hostFor({ place, runtime, threads }) {
      if (place === "page") return onDevice!;
      // A page's onnxruntime takes its number of threads once; Node's takes it by session, its WebAssembly has one thread.
      const key = place === "node" ? "node" : `${runtime} ${threads}`;
      const host = hosts.get(key) ?? (place === "node" ? child() : page());
      hosts.set(key, host);
      return host;
    },
    located(spec) {
      if (spec.place === "node") return spec;
      const key = `${spec.place} ${spec.source}`;
      const address = addresses.get(key) ?? serverOf(spec).publish(spec.source);
      addresses.set(key, address);
      return { ...spec, source: address };
    },
    fresh: ({ place }) => (place === "node" ? child(firstOf(inputs)) : page()),
    async close() {
      for (const host of hosts.values()) await host.close();
      await browser?.close();
      await server?.close();
      await line?.end();
      await deviceServer?.close();
    },
  };
}

/** One sample: a cold start has no use for more, and it goes from process to process. */
function firstOf({ tensors }: InputSet): InputSet {
  return { samples: 1, tensors: tensors.map((tensor) => ({ ...tensor, data: rowsOf(tensor, 0, 1) })) };
}

function notServed(): DistillateError {
  return new DistillateError({
    code: "device-not-served",
    message: "there are targets on a device, but no page is served for one",
    hint: "Measure devices with `distillate bench --serve`.",
  });
}

function urlOf({ port }: PageServer): string {
  return `http://127.0.0.1:${port}/`;
}

/** Why this browser has no graphics hardware. */
async function findGpu(browser: Browser, url: string): Promise<string | undefined> {
  const connection = await connectToPage(browser, url);
  const { webgpu } = await connection.facts();
  await connection.end();
  if (!webgpu.available) return webgpu.reason;
  return webgpu.software ? `the adapter (${webgpu.adapter}) is software` : undefined;
}
