// Runs the whole suite once on each Node line that must pass, through the npm package `node`.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

const lines = process.argv.length > 2 ? process.argv.slice(2) : ["22", "24", "26"];
const results = [];
for (const line of lines) {
  const home = resolve(".cache/node-versions", line);
  mkdirSync(home, { recursive: true });
  const install = spawnSync(
    "npm",
    ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", home, `node@${line}`],
    {
      stdio: "inherit",
    },
  );
  const node = join(home, "node_modules/node/bin/node");
  const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout?.trim();
  const run =
    install.status === 0 && version
      ? spawnSync(node, ["node_modules/vitest/vitest.mjs", "run"], {
          stdio: "inherit",
          env: { ...process.env, PATH: `${join(home, "node_modules/node/bin")}:${process.env.PATH}` },
        })
      : install;
  results.push(`Node ${version ?? `${line} (not installed)`}: ${run.status === 0 ? "passed" : "FAILED"}`);
}
console.log(results.join("\n"));
process.exitCode = results.some((line) => !line.endsWith("passed")) ? 1 : 0;
