/** The browser of the tests: a Chromium of the machine, found by name or named by DISTILLATE_CHROMIUM. */
import { findChromium } from "@distillate/bench/node";
import { type Browser, chromium } from "playwright-core";

// Without one, browser tests are skipped by name.
export { findChromium };

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
