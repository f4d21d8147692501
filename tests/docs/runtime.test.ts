/** What the pages about the runtime show is typed as it stands, and names options and codes that there are. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const SOURCE = join(ROOT, "packages/runtime-edge/src");
const PAGES = ["packages/runtime-edge/README.md", "docs/runtime.md"].map((path) =>
  readFileSync(join(ROOT, path), "utf8"),
);
// Below `tests`, so that packages are found as in an app.
const PLACE = join(ROOT, "tests/node_modules/.cache/runtime-docs");

/** What an app around the shown code has. */
const AROUND: Readonly<Record<string, string>> = {
  show: "declare const show: (what: unknown) => void;",
  canvas: "declare const canvas: HTMLCanvasElement;",
  video: "declare const video: HTMLVideoElement;",
  image: "declare const image: HTMLImageElement;",
  blob: "declare const blob: Blob;",
  controller: "declare const controller: AbortController;",
  model: 'declare const model: import("@distillate/runtime-edge").Model;',
  readFile: 'import { readFile } from "node:fs/promises";',
  useState: 'import { useState } from "react";',
};

beforeAll(() => {
  rmSync(PLACE, { recursive: true, force: true });
  mkdirSync(PLACE, { recursive: true });
});
afterAll(() => rmSync(PLACE, { recursive: true, force: true }));

test("every block of code is accepted by strict TypeScript", () => {
  const blocks = PAGES.flatMap((page) => [...page.matchAll(/```(tsx?)\n([\s\S]*?)```/g)]);
  expect(blocks.length).toBeGreaterThan(8);
  for (const [i, [, extension, code]] of blocks.entries()) {
    const around = Object.entries(AROUND)
      .filter(([name]) => new RegExp(`\\b${name}\\b`).test(code!) && !new RegExp(`const ${name}\\b`).test(code!))
      .map(([, line]) => line);
    writeFileSync(join(PLACE, `block-${i}.${extension}`), [...around, code, "export {};"].join("\n"));
  }
  const compilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "dom", "dom.iterable"],
    jsx: "react-jsx",
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
    customConditions: ["@distillate/source"],
    allowImportingTsExtensions: true,
  };
  writeFileSync(join(PLACE, "package.json"), '{ "type": "module" }');
  writeFileSync(join(PLACE, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*"] }));
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  try {
    execFileSync(process.execPath, [compiler, "-p", PLACE], { encoding: "utf8" });
  } catch (error) {
    expect((error as { stdout: string }).stdout).toBe("");
  }
});

test("every option of `load` is in the table, and no other", () => {
  const source = readFileSync(join(SOURCE, "load.ts"), "utf8");
  const declared = /export interface LoadOptions \{([\s\S]*?)\n\}/.exec(source)![1]!;
  const options = [...declared.matchAll(/^ {2}readonly (\w+)\?/gm)].map(([, name]) => name!);
  const table = /\| option[\s\S]*?\n\n/.exec(PAGES[1]!)![0];
  const named = [...table.matchAll(/^\| (`[^|]*`) +\|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
  );
  const elsewhere = ["signal", "onProgress", "onEvent"];
  expect([...named, ...elsewhere].sort()).toEqual(options.sort());
});

test("every code in the table is thrown somewhere", () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  const bundle = join(ROOT, "packages/bundle/src");
  const all = [
    ...files.map((path) => join(SOURCE, path)),
    join(bundle, "manifest.ts"),
    join(bundle, "integrity.ts"),
  ].map((path) => readFileSync(path, "utf8"));
  const table = /\| code[\s\S]*$/.exec(PAGES[1]!)![0];
  const codes = [...table.matchAll(/^\| (`[^|]*`) +\|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([\w-]+)`/g)].map(([, name]) => name!),
  );
  expect(codes.length).toBeGreaterThan(20);
  for (const code of codes)
    expect(
      all.some((text) => text.includes(`"${code}"`)),
      code,
    ).toBe(true);
});
