import { networkInterfaces } from "node:os";

/** Where the page can be opened, from this machine first. */
export function addressesOf(host: string, port: number): readonly string[] {
  const everywhere = host === "0.0.0.0" || host === "::";
  const names = everywhere
    ? [
        "127.0.0.1",
        ...Object.values(networkInterfaces())
          .flatMap((each) => each ?? [])
          .flatMap(outside),
      ]
    : [host];
  return names.map((name) => `http://${name.includes(":") ? `[${name}]` : name}:${port}/`);
}

function outside({ family, internal, address }: { family: string; internal: boolean; address: string }): string[] {
  return family === "IPv4" && !internal ? [address] : [];
}
