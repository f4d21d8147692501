import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type { BrowserOptions } from "./chromium.ts";
import { openSite, type Site } from "./sdk-page.ts";

/** The site of a file's tests, and the page of the test that runs. */
export interface Here {
  readonly site: Site;
  readonly page: Page;
}

/** Inside of a `describe`: opens a site for its tests, gives each a page of its own, and puts everything back after it. */
export function siteForTests(options: BrowserOptions = {}): Here {
  let site: Site;
  let page: Page;
  beforeAll(async () => {
    site = await openSite(options);
  });
  beforeEach(async () => {
    page = await site.freshPage();
  });
  afterEach(() => site.reset());
  afterAll(() => site.close());
  return {
    get site() {
      return site;
    },
    get page() {
      return page;
    },
  };
}
