/** The way to a host in a page: a browser profile of its own, so that nothing is cached yet. */
import { DistillateError } from "@distillate/bundle";
import type { Browser } from "playwright-core";
import type { Host } from "../host.ts";
import { type Answer, type Connection, unpack } from "../host-protocol.ts";
import type { PageApi } from "../page/main.ts";

/** What the page has on its global object. */
interface PageGlobal {
  readonly distillateBench: PageApi;
}

/** What a page can do; see `capabilities` of runtime-edge. */
export type PageFacts = Awaited<ReturnType<PageApi["facts"]>>;

/** A connection that can be asked for facts too. */
export type PageConnection = Connection & { facts(): Promise<PageFacts> };

/** A call may take so long before its page counts as hung. */
const PATIENCE_MILLISECONDS = 180_000;

/** Opens the page. */
export async function connectToPage(browser: Browser, url: string): Promise<PageConnection> {
  const context = await browser.newContext();
  const page = await context.newPage();
  let alive = true;
  const gone = new Promise<never>((_, reject) => {
    const end = (how: string) => () => {
      alive = false;
      reject(died(how));
    };
    page.on("crash", end("crashed, most likely because memory ran out"));
    page.on("close", end("was closed"));
  });
  // Whoever is waiting hears of it; when nobody is, it is no error.
  gone.catch(() => undefined);
  const enter = async (): Promise<void> => {
    await page.goto(url);
    await page.waitForFunction(() => "distillateBench" in globalThis);
  };
  await enter();
  return {
    get alive() {
      return alive;
    },
    async call(method, args) {
      const asked = page.evaluate(
        ([name, values]) => (globalThis as unknown as PageGlobal).distillateBench.call(name, values),
        [method, method === "setInputs" ? [] : args] as [keyof Host, readonly unknown[]],
      );
      // Closing a hung page ends the race.
      const timer = setTimeout(() => void page.close(), PATIENCE_MILLISECONDS);
      try {
        return unpack((await Promise.race([asked, gone])) as Answer);
      } finally {
        clearTimeout(timer);
      }
    },
    facts: () => page.evaluate(() => (globalThis as unknown as PageGlobal).distillateBench.facts()),
    reload: enter,
    end: () => context.close(),
  };
}

function died(how: string): DistillateError {
  return new DistillateError({
    code: "target-died",
    message: `its page ${how}`,
    hint: "The other targets go on in a fresh page.",
  });
}
