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

/** Starts it without a window; `webgpu` adds the software adapter. */
export function launchChromium({ webgpu = false } = {}): Promise<Browser> {
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
    ],
  });
}
