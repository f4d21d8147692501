/** Finds and starts a real Chromium. It is driven by playwright-core, which is asked for only when a page is to be measured. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { DistillateError } from "@distillate/bundle";
import type { Browser } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"];
const HINT =
  "Install it: npm i -D playwright-core && npx playwright-core install --with-deps chromium; or name one that is there in DISTILLATE_CHROMIUM.";

/** How to start it. */
export interface ChromiumOptions {
  /** Use the software graphics adapter: for tests of function, not of speed. */
  readonly softwareWebgpu: boolean;
}

/**
 * Starts Chromium without a window.
 *
 * @throws DistillateError `chromium-missing` with the way to get it.
 */
export async function launchChromium({ softwareWebgpu }: ChromiumOptions): Promise<Browser> {
  const { chromium } = await import("playwright-core").catch((cause: unknown) => {
    throw new DistillateError({
      code: "chromium-missing",
      message: "playwright-core, which drives Chromium, is not installed",
      hint: HINT,
      cause,
    });
  });
  const executablePath = findChromium() ?? chromium.executablePath();
  return chromium
    .launch({
      executablePath,
      // Whoever interrupts the benchmark wants its results so far: the caller closes the browser.
      handleSIGINT: false,
      args: [
        // In a container of root there is no sandbox to be had; the page is our own, on the loopback address.
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
        "--disable-background-networking",
        "--disable-component-update",
        "--enable-unsafe-webgpu",
        "--enable-features=Vulkan",
        ...(softwareWebgpu ? ["--use-webgpu-adapter=swiftshader"] : []),
      ],
    })
    .catch((cause: unknown) => {
      throw new DistillateError({
        code: "chromium-missing",
        message: `no Chromium could be started from ${executablePath}: ${(cause as Error).message.split("\n")[0]}`,
        hint: HINT,
        cause,
      });
    });
}

/** Where a Chromium of this machine is: what DISTILLATE_CHROMIUM names, or a usual name on the path. */
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
      // Not this one; the next may do.
      return false;
    }
  });
}
