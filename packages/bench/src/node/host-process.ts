/** The process in which targets of Node run: it may crash, and the benchmark goes on. */
import { DistillateError } from "@distillate/bundle";
import { systemClock } from "../clock.ts";
import { createHost } from "../host.ts";
import { answer } from "../host-protocol.ts";
import type { Opener } from "../target.ts";
import { watchWasm } from "../wasm-watch.ts";
import type { FromHost, ToHost } from "./child-connection.ts";
import { nodeOpeners } from "./openers.ts";

const watch = watchWasm();
const host = createHost({
  openers: nodeOpeners(watch),
  importOpener: async (address) => {
    const { openTarget } = (await import(address)) as { openTarget?: Opener };
    if (openTarget) return openTarget;
    throw new DistillateError({
      code: "runtime-unknown",
      message: `${address} exports no openTarget`,
      hint: "A module that brings a runtime exports `openTarget(spec, inputs)`.",
    });
  },
  clock: systemClock,
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  held: () => ({ rss: process.memoryUsage.rss(), wasmHeap: watch.heapBytes() }),
  memory: async () => ({
    rss: process.memoryUsage.rss(),
    peakRss: process.resourceUsage().maxRSS * 1024,
    wasmHeap: watch.heapBytes(),
  }),
});

// The terminal sends Ctrl-C to the whole group; the parent decides what it means.
process.on("SIGINT", () => undefined);
process.on("disconnect", () => process.exit(0));
process.on("message", async ({ id, method, args }: ToHost) => {
  const message: FromHost = { id, ...(await answer(host, method, args)) };
  if (process.connected) process.send!(message);
});
