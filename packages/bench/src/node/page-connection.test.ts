import { expect, test } from "vitest";
import { findChromium, launchChromium } from "./chromium.ts";
import { connectToPage } from "./page-connection.ts";
import { servePage } from "./page-server.ts";

test.skipIf(!findChromium())(
  "a page that crashes ends the call that waits for it, and is not alive any more (needs Chromium)",
  async () => {
    const server = await servePage({ samples: 0, tensors: [] });
    const browser = await launchChromium({ softwareWebgpu: false });
    try {
      const connection = await connectToPage(browser, `http://127.0.0.1:${server.port}/`);
      expect(await connection.call("memory", [])).toMatchObject({});
      expect(connection.alive).toBe(true);
      const waiting = connection.call("setInputs", []).then(() => connection.call("memory", []));
      const crashed = expect(waiting).rejects.toMatchObject({
        code: "target-died",
        message: expect.stringContaining("memory ran out"),
      });
      // What a page that runs out of memory comes to; going there never ends.
      void browser
        .contexts()[0]!
        .pages()[0]!
        .goto("chrome://crash")
        .catch(() => undefined);
      await crashed;
      expect(connection.alive).toBe(false);
    } finally {
      await browser.close();
      await server.close();
    }
  },
  60_000,
);
