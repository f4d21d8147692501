import { once } from "node:events";
import { buildDemo } from "@distillate/demo";
import { cacheDirectory } from "@distillate/train";
import { type CommandDef, defineCommand } from "citty";
import { renderUnicodeCompact } from "uqr";
import { addressesOf } from "../serve/addresses.ts";
import { openModels, type ServedBundle } from "../serve/open-models.ts";
import { serveSite } from "../serve/server.ts";
import { portOf, UsageError } from "../usage.ts";

const ARGS = {
  bundle: { type: "positional", required: false, description: "Bundles, or directories of runs (several at once)" },
  port: { type: "string", description: "Port, or the next free one after it", valueHint: "N", default: "5173" },
  host: {
    type: "string",
    description: "Address to listen on; 0.0.0.0 lets phones of the same network in",
    valueHint: "ADDRESS",
    default: "127.0.0.1",
  },
  json: { type: "boolean", description: "Print the addresses as JSON" },
  quiet: { type: "boolean", description: "Say nothing but errors" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

/** `distillate serve`: a page that runs bundles side by side, until it is interrupted. */
export const serve: CommandDef<typeof ARGS> = defineCommand({
  meta: { name: "serve", description: "Open a page that shows bundles side by side on what you draw or show." },
  args: ARGS,
  async run({ args }) {
    const paths = args._;
    if (paths.length === 0) throw new UsageError("a bundle or the directory of a run is needed, such as runs/mnist");
    const port = portOf(args.port);
    const bundles = await openModels(paths, (message) => {
      if (!args.quiet) process.stderr.write(`note: ${message}\n`);
    });
    const addresses: string[] = [];
    const site = { directory: await buildDemo(cacheDirectory("demo")), files: filesOf(bundles, addresses) };
    const serving = await serveSite(site, args.host, port);
    addresses.push(...addressesOf(args.host, serving.port));
    site.files.set("/addresses.json", json(addresses));
    if (args.json) process.stdout.write(`${JSON.stringify({ addresses })}\n`);
    else if (!args.quiet) process.stdout.write(welcome(bundles, addresses, args.host));
    const signal = await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
    await serving.close();
    return signal.includes("SIGTERM") ? 143 : 130;
  },
});

/** All files by the address that the page knows them under. */
function filesOf(bundles: readonly ServedBundle[], addresses: readonly string[]): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const listed = bundles.map(({ title }, i) => ({ title, url: `bundles/${i}/` }));
  files.set("/bundles.json", json(listed));
  files.set("/addresses.json", json(addresses));
  for (const [i, bundle] of bundles.entries()) {
    for (const [path, bytes] of bundle.files) files.set(`/bundles/${i}/${path}`, bytes);
  }
  return files;
}

function welcome(bundles: readonly ServedBundle[], addresses: readonly string[], host: string): string {
  const phone = addresses[1];
  return `${[
    `${bundles.map(({ title }) => title).join(", ")} at ${addresses.join(" and ")}`,
    ...(phone === undefined ? [] : ["", renderUnicodeCompact(phone), ""]),
    ...(host === "127.0.0.1" ? ["--host 0.0.0.0 lets a phone of the same network in."] : []),
    "Ctrl-C ends it.",
  ].join("\n")}\n`;
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
