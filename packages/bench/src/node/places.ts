/** The places of a benchmark: one process for Node's targets, a page for each runtime and number of threads, each back when it died. */
import type { Browser } from "playwright-core";
import type { Host } from "../host.ts";
import { revivingHost } from "../host-protocol.ts";
import type { InputSet, TargetSpec } from "../target.ts";
import { connectToChild } from "./child-connection.ts";
import { launchChromium } from "./chromium.ts";
import { connectToPage } from "./page-connection.ts";
import { type PageServer, servePage } from "./page-server.ts";

/** Where targets run. */
export interface Places {
  readonly browserVersion: string | undefined;
  /** Why there is no graphics hardware for pages; absent where there is some. */
  readonly webgpuMissing: string | undefined;
  hostFor(spec: TargetSpec): Host;
  /** The same target with its source as its place reaches it. */
  located(spec: TargetSpec): TargetSpec;
  /** A host of its own, from nothing. */
  fresh(spec: TargetSpec): Host;
  close(): Promise<void>;
}

/** What places depend on. */
export interface PlacesOptions {
  readonly targets: readonly TargetSpec[];
  readonly inputs: InputSet;
  readonly softwareWebgpu: boolean;
  readonly execArgv?: readonly string[];
}

/** Opens them; `onMissing` hears why there is no Chromium, when one is needed. */
export async function openPlaces(options: PlacesOptions, onMissing: (error: unknown) => void): Promise<Places> {
  const { inputs, targets, softwareWebgpu, execArgv } = options;
  let browser: Browser | undefined;
  let server: PageServer | undefined;
  let webgpuMissing: string | undefined;
  if (targets.some(({ place }) => place === "chromium")) {
    try {
      browser = await launchChromium({ softwareWebgpu });
      server = await servePage(inputs);
      if (targets.some(({ runtime }) => runtime === "onnxruntime-web-webgpu")) {
        webgpuMissing = await findGpu(browser, server.url);
      }
    } catch (error) {
      onMissing(error);
    }
  }
  const child = (): Host => revivingHost(inputs, () => connectToChild(execArgv));
  const page = (): Host => revivingHost(inputs, () => connectToPage(browser!, server!.url));
  const hosts = new Map<string, Host>();
  const addresses = new Map<string, string>();
  return {
    browserVersion: browser?.version(),
    webgpuMissing,
    hostFor({ place, runtime, threads }) {
      // A page's onnxruntime takes its number of threads once; Node's takes it by session, its WebAssembly has one thread.
      const key = place === "node" ? "node" : `${runtime} ${threads}`;
      const host = hosts.get(key) ?? (place === "node" ? child() : page());
      hosts.set(key, host);
      return host;
    },
    located(spec) {
      if (spec.place === "node") return spec;
      const address = addresses.get(spec.source) ?? server!.publish(spec.source);
      addresses.set(spec.source, address);
      return { ...spec, source: address };
    },
    fresh: ({ place }) => (place === "node" ? child() : page()),
    async close() {
      for (const host of hosts.values()) await host.close();
      await browser?.close();
      await server?.close();
    },
  };
}

/** Why this browser has no graphics hardware. */
async function findGpu(browser: Browser, url: string): Promise<string | undefined> {
  const connection = await connectToPage(browser, url);
  const { webgpu } = await connection.facts();
  await connection.end();
  if (!webgpu.available) return webgpu.reason;
  return webgpu.software ? `the adapter (${webgpu.adapter}) is software` : undefined;
}
