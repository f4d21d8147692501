import { readFileSync } from "node:fs";

/** The version of this tool, as in its package.json; written into every report and bundle. */
export const TOOL_VERSION: string = (
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }
).version;
