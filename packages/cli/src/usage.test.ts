import { expect, test } from "vitest";
import { checkFlags, UsageError } from "./usage.ts";

const definitions = {
  target: { type: "positional" },
  out: { type: "string", alias: "o" },
  json: { type: "boolean" },
} as const;

test.each([
  [["mnist"]],
  [["--out", "x", "--json"]],
  [["-o", "x"]],
  [["--out=x"]],
  [["--no-json"]],
  [["--", "--anything"]],
])("%j is fine", (argv) => expect(() => checkFlags(argv, definitions)).not.toThrow());

test.each([
  [["--outt", "x"], /unknown flag --outt.*--out, --json/],
  [["--target"], /unknown flag --target/],
  [["--out"], /--out needs a value/],
  [["--out="], /--out needs a value/],
  [["--out", "--json"], /--out needs a value, found --json/],
  [["--no-out"], /unknown flag --no-out/],
  [["-x"], /unknown flag -x/],
])("%j is refused", (argv, message) => {
  expect(() => checkFlags(argv, definitions)).toThrow(UsageError);
  expect(() => checkFlags(argv, definitions)).toThrow(message);
});
