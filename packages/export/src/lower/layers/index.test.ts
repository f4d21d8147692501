/** docs/export-layers.md says something about every layer class that tfjs-layers has, and its table is LOWERINGS. */
import { readFileSync } from "node:fs";
import { serialization } from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { expect, test } from "vitest";
import { LOWERINGS } from "./index.ts";

const page = readFileSync(new URL("../../../../../docs/export-layers.md", import.meta.url), "utf8");
const OWN = ["InputLayer", "TimeDistributed", "Sequential", "Model", "Functional"];

test("the table of layers in the docs is LOWERINGS", () => {
  const rows = [...page.matchAll(/^\| ([\w, ]+) \| /gm)].flatMap(([, names]) => names!.split(", "));
  expect(rows.filter((name) => name !== "Layer").toSorted()).toEqual([...Object.keys(LOWERINGS), ...OWN].toSorted());
});

test("the page names every layer that tfjs has", () => {
  const { Layer } = tfl.layers;
  const classes = Object.entries(serialization.SerializationMap.getMap().classNameMap)
    .filter(([, [made]]) => (made as { prototype: object }).prototype instanceof Layer)
    .map(([name]) => name);
  expect(classes.length).toBeGreaterThan(60);
  expect(classes.filter((name) => !new RegExp(`\\b${name}\\b`).test(page))).toEqual([]);
});
