import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isDistillateError } from "./errors.ts";
import { sha256Hex, verifyFile } from "./integrity.ts";
import { formatManifest, type Manifest, parseManifest } from "./manifest.ts";
import { decodeProbe, encodeProbe } from "./probe.ts";

const manifest: Manifest = {
  format: "distillate-bundle",
  version: 1,
  id: "digits",
  semver: "1.0.0",
  task: "image-classification",
  inputs: [{ name: "image", dtype: "float32", shape: ["batch", 1, 28, 28] }],
  outputs: [{ name: "logits", dtype: "float32", shape: ["batch", 2] }],
  preprocess: {
    kind: "image",
    width: 28,
    height: 28,
    channels: 1,
    fit: "contain",
    scale: 1 / 255,
    mean: [0],
    std: [1],
    layout: "nchw",
  },
  postprocess: { kind: "softmax", topK: 2 },
  labels: ["0", "1"],
  variants: [
    { id: "fp32", file: { path: "student.fp32.onnx", bytes: 9, sha256: "a".repeat(64) }, opset: 17, accuracy: 0.9 },
  ],
  provenance: {
    tool: "distillate 0.1.0",
    configHash: "c",
    dataHash: "d",
    seed: 1,
    student: { model: "cnn", parameters: 10 },
  },
};

const fails = (value: unknown): unknown => {
  try {
    parseManifest(value);
  } catch (error) {
    return error;
  }
  return undefined;
};

test("what is formatted parses to itself, whatever the order of members; unknown fields are dropped", () => {
  const text = formatManifest(manifest);
  expect(parseManifest(text)).toEqual(manifest);
  const shuffled = Object.fromEntries(Object.entries({ ...manifest, later: 1 }).reverse());
  expect(formatManifest(shuffled as Manifest)).toBe(text);
});

describe("refused, naming the place", () => {
  const withPath = (path: string): unknown => ({
    ...manifest,
    variants: [{ ...manifest.variants[0], file: { ...manifest.variants[0]!.file, path } }],
  });
  test.each([
    ["another version", { ...manifest, version: 2 }, "manifest-version", /version 2, expected 1/],
    ["a web page", "<!doctype html>", "manifest-invalid", /begins like HTML/],
    ["nothing", null, "manifest-invalid", /the manifest is null/],
    ["a path upwards", withPath("../evil.onnx"), "manifest-invalid", /variants.0.file.path.*relative path/],
    ["an absolute path", withPath("/etc/passwd"), "manifest-invalid", /variants.0.file.path/],
    ["an encoded path", withPath("%2e%2e/x"), "manifest-invalid", /variants.0.file.path/],
    ["an address", withPath("https://x/y"), "manifest-invalid", /variants.0.file.path/],
    ["a backslash", withPath("a\\..\\b"), "manifest-invalid", /variants.0.file.path/],
    [
      "a wrong hash",
      { ...manifest, probe: { file: { path: "p", bytes: 1, sha256: "xyz" } } },
      "manifest-invalid",
      /probe.file.sha256/,
    ],
    [
      "a std of zero",
      { ...manifest, preprocess: { ...manifest.preprocess, std: [0] } },
      "manifest-invalid",
      /preprocess.std.0/,
    ],
    [
      "too few means",
      { ...manifest, preprocess: { ...manifest.preprocess, mean: [] } },
      "manifest-invalid",
      /one mean and one std/,
    ],
    [
      "a variant twice",
      { ...manifest, variants: [manifest.variants[0], manifest.variants[0]] },
      "manifest-invalid",
      /each variant once/,
    ],
    ["too long a text", " ".repeat(4_000_001), "manifest-invalid", /characters/],
  ])("%s", (_what, value, code, message) => {
    expect(fails(value)).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

test("no JSON whatever gets anything but a DistillateError", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => isDistillateError(fails(value))));
  fc.assert(fc.property(fc.string(), (text) => isDistillateError(fails(text))));
  const text = formatManifest(manifest);
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 3 }), (at, noise) => {
      const error = fails(text.slice(0, at) + noise + text.slice(at + noise.length));
      expect(error === undefined || isDistillateError(error)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("a probe survives the trip, and mutated bytes are refused or read, never worse", () => {
  const probe = { samples: 2, inputs: Float32Array.of(1, 2, 3, 4, 5, 6), outputs: Float32Array.of(7, 8) };
  const bytes = encodeProbe(probe);
  expect(decodeProbe(bytes)).toEqual(probe);
  fc.assert(
    fc.property(fc.nat(bytes.length), fc.nat(bytes.length - 1), fc.nat(255), (length, at, value) => {
      const mutated = bytes.slice(0, length);
      if (at < length) mutated[at] = value;
      try {
        decodeProbe(mutated);
      } catch (error) {
        expect(isDistillateError(error)).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("integrity: SHA-256 of the empty text, a changed byte and a changed length", async () => {
  expect(await sha256Hex(new Uint8Array())).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const bytes = Uint8Array.of(1, 2, 3);
  const file = { path: "x.onnx", bytes: 3, sha256: await sha256Hex(bytes) };
  await expect(verifyFile(bytes, file)).resolves.toBeUndefined();
  await expect(verifyFile(Uint8Array.of(1, 2, 4), file)).rejects.toMatchObject({ code: "file-corrupted" });
  await expect(verifyFile(Uint8Array.of(1, 2), file)).rejects.toThrow("x.onnx has 2 bytes, expected 3 bytes");
});
