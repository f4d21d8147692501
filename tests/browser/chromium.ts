/** The browser of the tests: a Chromium of the machine, found by name or named by DISTILLATE_CHROMIUM. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Where it is; `undefined` when there is none, and then browser tests are skipped by name. */
export function findChromium(): string | undefined {
  const directories = (process.env.PATH ?? "").split(delimiter);
  const candidates = [
    process.env.DISTILLATE_CHROMIUM,
    ...NAMES.flatMap((name) => directories.map((path) => join(path, name))),
  ];
  return candidates.find((path) => {
    if (!path) return false;
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** What a test's browser has beyond the usual. */
export interface BrowserOptions {
  /** The software adapter. */
  readonly webgpu?: boolean;
  /** A camera that shows moving shapes and a microphone that beeps, both allowed. */
  readonly devices?: boolean;
  /** `gc()` in pages, and heap sizes that are exact. */
  readonly exactMemory?: boolean;
}

/** Starts it without a window. */
export function launchChromium({ webgpu, devices, exactMemory }: BrowserOptions = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium()!,
    args: [
      "--no-sandbox",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...(webgpu
        ? ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]
        : ["--disable-gpu"]),
      ...(devices ? ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] : []),
      ...(exactMemory ? ["--js-flags=--expose-gc", "--enable-precise-memory-info"] : []),
    ],
  });
}
