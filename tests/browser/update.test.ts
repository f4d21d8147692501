/** A model's next version: fetched and tested aside, in force from the next load on, and given up when it fails here. */
import type { webcrypto } from "node:crypto";
import { type FileRef, formatManifest, type Manifest, sha256Hex } from "@distillate/bundle";
import { zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { type FixtureBundle, withChanges } from "../fixtures/bundles.ts";
import { findChromium } from "./chromium.ts";
import { inPage, publish } from "./sdk-page.ts";
import { siteForTests } from "./site-for-tests.ts";

const OPTIONS = `const options = { backend: "wasm", variant: "fp32" };`;
const LOAD = `sdk.load("/cnn/", { backend: "wasm", variant: "fp32" })`;
const SERVING = `${OPTIONS}
  const model = await sdk.load("/cnn/", options);
  const { label } = await model.run(pixels());
  await model.dispose();
  return model.manifest.semver;`;
const UPDATE = `${OPTIONS}
  const model = await sdk.load("/cnn/", options);
  const found = await model.checkForUpdate();
  if (!found.available) return { refused: found.reason };
  const result = await found.stage();
  return { ...result, serving: model.manifest.semver, label: (await model.run(pixels())).label };`;

describe.skipIf(!findChromium())("updates (needs Chromium)", () => {
  const here = siteForTests();

  /** Puts another version at the address. */
  async function release(semver: string, change: (manifest: Manifest) => Manifest = (same) => same): Promise<void> {
    publish(
      here.site.server,
      "cnn",
      await withChanges(here.site.bundle("cnn"), (manifest) => change({ ...manifest, semver })),
    );
  }

  /** A version whose probe demands what the model does not compute. */
  async function releaseBroken(semver: string): Promise<void> {
    const { files } = here.site.bundle("cnn");
    const wrong = files.get("probe.bin")!.slice();
    new DataView(wrong.buffer).setFloat32(wrong.byteLength - 4, 42, true);
    const sha256 = await sha256Hex(wrong);
    const broken = await withChanges(
      here.site.bundle("cnn"),
      (manifest) => ({
        ...manifest,
        semver,
        probe: { ...manifest.probe!, file: { path: "probe-next.bin", bytes: wrong.byteLength, sha256 } },
      }),
      new Map([["probe-next.bin", wrong]]),
    );
    publish(here.site.server, "cnn", broken);
  }

  /** A version with other files: another model, under this one's name. */
  async function withOtherModel(semver: string): Promise<FixtureBundle> {
    const next = here.site.bundle("ds-cnn");
    const renamed = new Map([...next.files].map(([path, bytes]) => [`next-${path}`, bytes]));
    const file = (ref: FileRef): FileRef => ({ ...ref, path: `next-${ref.path}` });
    return withChanges(
      next,
      (manifest) => ({
        ...manifest,
        id: "cnn",
        semver,
        variants: manifest.variants.map((variant) => ({ ...variant, file: file(variant.file) })),
        probe: { ...manifest.probe!, file: file(manifest.probe!.file) },
      }),
      renamed,
    );
  }

  test("a new version serves from the next load on, not before, and the address is not asked without need", async () => {
    expect(await inPage(here.page, null, SERVING)).toBe("1.0.0");
    await release("1.1.0");
    expect(await inPage(here.page, null, SERVING)).toBe("1.0.0");
    expect(await inPage(here.page, null, UPDATE)).toMatchObject({ staged: true, serving: "1.0.0" });
    expect(await inPage(here.page, null, SERVING)).toBe("1.1.0");
    expect(await inPage(here.page, null, UPDATE)).toMatchObject({
      refused: expect.stringContaining("1.1.0 is the newest"),
    });
  });

  test("a version that fails its self-test here is not staged, and not taken again", async () => {
    await inPage(here.page, null, SERVING);
    await releaseBroken("1.1.0");
    expect(await inPage(here.page, null, UPDATE)).toMatchObject({
      staged: false,
      reason: expect.stringContaining("wrongly"),
      serving: "1.0.0",
    });
    expect(await inPage(here.page, null, SERVING)).toBe("1.0.0");
    expect(await inPage(here.page, null, UPDATE)).toMatchObject({
      refused: expect.stringContaining("failed on this device"),
    });
  });

  test("a version that came without being staged and fails gives way to the one before", async () => {
    await inPage(here.page, null, SERVING);
    await releaseBroken("1.1.0");
    const { semver, states } = await inPage<{ semver: string; states: string[] }>(
      here.page,
      null,
      `${OPTIONS}
      const states = [];
      const onEvent = ({ kind, state }) => kind === "update" && states.push(state);
      const model = await sdk.load("/cnn/", { ...options, update: "always", onEvent });
      return { semver: model.manifest.semver, states };`,
    );
    expect({ semver, states }).toEqual({ semver: "1.0.0", states: ["rolled-back"] });
  });

  test("an update that is killed half-way leaves the old version whole, and can be done again", async () => {
    await inPage(here.page, null, SERVING);
    const next = await here.site.bundle("ds-cnn");
    const onnx = next.files.get("student.fp32.onnx")!;
    const sha256 = await sha256Hex(onnx);
    const path = "next.onnx";
    publish(
      here.site.server,
      "cnn",
      await withChanges(
        next,
        (manifest) => ({
          ...manifest,
          id: "cnn",
          semver: "1.1.0",
          variants: [{ id: "fp32", opset: 17, file: { path, bytes: onnx.byteLength, sha256 } }],
        }),
        new Map([[path, onnx]]),
      ),
    );
    let arrived = (): void => {};
    const asked = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    here.site.server.fault = (request, response) => {
      if (!request.url?.endsWith("/next.onnx")) return false;
      response.writeHead(200, { "content-length": onnx.byteLength });
      response.write(onnx.subarray(0, 1000));
      arrived();
      return true;
    };
    const dying = inPage(here.page, null, UPDATE).catch(() => {});
    await asked;
    const context = here.page.context();
    await here.page.close();
    await dying;
    const reopened = await context.newPage();
    await reopened.goto(here.site.server.url);
    expect(await inPage(reopened, null, SERVING)).toBe("1.0.0");
    here.site.server.fault = undefined;
    expect(await inPage(reopened, null, UPDATE)).toMatchObject({ staged: true });
    expect(await inPage(reopened, null, SERVING)).toBe("1.1.0");
  });

  test("a version under which the page dies three times gives way to the one before", async () => {
    await inPage(here.page, null, SERVING);
    await release("1.1.0");
    await inPage(here.page, null, UPDATE);
    expect(await inPage(here.page, null, SERVING)).toBe("1.1.0");
    const context = here.page.context();
    for (let death = 0; death < 3; death++) {
      const doomed = await context.newPage();
      await doomed.goto(here.site.server.url);
      await inPage(
        doomed,
        null,
        `${OPTIONS}
        // A worker that never answers: the page is closed before its load ends.
        const hung = () => new Worker(URL.createObjectURL(new Blob([""], { type: "text/javascript" })));
        let started;
        const starting = new Promise((resolve) => { started = resolve; });
        sdk.load("/cnn/", { ...options, worker: () => (started(), hung()) }).catch(() => {});
        await starting;`,
      );
      await doomed.close();
    }
    // The browser takes a moment to see that a page is gone.
    await expect.poll(() => here.page.evaluate("navigator.locks.query().then(({ held }) => held.length)")).toBe(0);
    expect(await inPage(here.page, null, SERVING)).toBe("1.0.0");
    expect(await inPage(here.page, null, UPDATE)).toMatchObject({
      refused: expect.stringContaining("failed on this device"),
    });
  });

  test("a share of devices, a newer runtime, another model: each is refused with its reason", async () => {
    await inPage(here.page, null, SERVING);
    await release("1.1.0", (manifest) => ({ ...manifest, rollout: 0 }));
    expect(await inPage(here.page, null, UPDATE)).toMatchObject({ refused: expect.stringContaining("0 % of devices") });
    await release("1.1.0", (manifest) => ({ ...manifest, id: "another" }));
    expect(await inPage(here.page, null, UPDATE)).toMatchObject({ refused: expect.stringContaining("another model") });
    await release("1.1.0", (manifest) => ({ ...manifest, requires: { runtime: "99.0.0" } }));
    expect(
      await inPage(here.page, null, `${OPTIONS} return failure((await sdk.load("/cnn/", options)).checkForUpdate());`),
    ).toMatchObject({
      code: "bundle-incompatible",
    });
  });

  test("with a public key, only what its owner signed is loaded", async () => {
    const { subtle } = globalThis.crypto;
    const keys = (await subtle.generateKey("Ed25519", true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
    const publicKey = Buffer.from(await subtle.exportKey("raw", keys.publicKey)).toString("base64");
    const text = new TextEncoder().encode(formatManifest(here.site.bundle("cnn").manifest));
    const signature = Buffer.from(await subtle.sign("Ed25519", keys.privateKey, text)).toString("base64");
    const attempt = `${OPTIONS} return failure(sdk.load("/cnn/", { ...options, publicKey: argument }).then((model) => model.dispose()));`;
    here.site.server.files.set("/cnn/manifest.json.sig", signature);
    expect(await inPage(here.page, publicKey, attempt)).toBeUndefined();
    await inPage(here.page, null, "await sdk.cache.clear();");
    await release("1.0.1");
    expect(await inPage(here.page, publicKey, attempt)).toMatchObject({ code: "signature-invalid" });
    here.site.server.files.delete("/cnn/manifest.json.sig");
  });

  test("an archive is updated as a directory is", async () => {
    const publishArchive = (bundle: FixtureBundle): void => {
      here.site.server.files.set("/cnn.zip", zipSync(Object.fromEntries(bundle.files)));
    };
    publishArchive(here.site.bundle("cnn"));
    const archive = (code: string): string => code.replaceAll("/cnn/", "/cnn.zip");
    expect(await inPage(here.page, null, archive(SERVING))).toBe("1.0.0");
    publishArchive(await withOtherModel("1.1.0"));
    // In the page that still holds the first archive, and whose model goes on.
    expect(await inPage(here.page, null, archive(UPDATE))).toMatchObject({ staged: true, serving: "1.0.0" });
    expect(await inPage(here.page, null, archive(SERVING))).toBe("1.1.0");
  });

  test("with `always`, a version that failed is not tried again, and one for a newer runtime leaves the old one serving", async () => {
    const always = `${OPTIONS}
      const kinds = [];
      const onEvent = ({ kind, state }) => kinds.push(state ?? kind);
      const model = await sdk.load("/cnn/", { ...options, update: "always", onEvent });
      await model.dispose();
      return { semver: model.manifest.semver, failures: kinds.filter((kind) => kind === "attempt-failed" || kind === "rolled-back").length };`;
    await inPage(here.page, null, SERVING);
    await releaseBroken("1.1.0");
    expect(await inPage(here.page, null, always)).toEqual({ semver: "1.0.0", failures: 2 });
    expect(await inPage(here.page, null, always)).toEqual({ semver: "1.0.0", failures: 0 });
    await release("1.2.0", (manifest) => ({ ...manifest, requires: { runtime: "99.0.0" } }));
    expect(await inPage(here.page, null, always)).toEqual({ semver: "1.0.0", failures: 0 });
    await release("1.2.0", (manifest) => ({ ...manifest, rollout: 0 }));
    expect(await inPage(here.page, null, always)).toEqual({ semver: "1.0.0", failures: 0 });
    await release("1.2.0");
    expect(await inPage(here.page, null, always)).toEqual({ semver: "1.2.0", failures: 0 });
  });

  test("a page that can run no version at all gives up none of them", async () => {
    await inPage(here.page, null, SERVING);
    await release("1.1.0");
    await inPage(here.page, null, UPDATE);
    // A page whose workers do not start, as under a policy that forbids them.
    const failed = await inPage<{ code: string }>(
      here.page,
      null,
      `${OPTIONS} return failure(sdk.load("/cnn/", { ...options, worker: () => new Worker("data:text/javascript,throw 1") }));`,
    );
    expect(failed).toMatchObject({ code: "no-backend" });
    expect(await inPage(here.page, null, SERVING)).toBe("1.1.0");
  });

  test("a staged version whose files are gone serves once there is a network; until then the one before does", async () => {
    await inPage(here.page, null, SERVING);
    publish(here.site.server, "cnn", await withOtherModel("1.1.0"));
    await inPage(here.page, null, UPDATE);
    const { sha256 } = here.site.bundle("ds-cnn").manifest.variants[0]!.file;
    await inPage(
      here.page,
      sha256,
      `await (await caches.open("distillate-1")).delete("https://distillate.invalid/file/" + argument);`,
    );
    here.site.server.fault = (request, response) => {
      if (!request.url?.endsWith(".onnx")) return false;
      response.destroy();
      return true;
    };
    expect(await inPage(here.page, null, SERVING)).toBe("1.0.0");
    here.site.server.fault = undefined;
    expect(await inPage(here.page, null, SERVING)).toBe("1.1.0");
  });

  test("four tabs that start a new version at once are no crash loop", async () => {
    await inPage(here.page, null, SERVING);
    await release("1.1.0");
    await inPage(here.page, null, UPDATE);
    const tabs = await Promise.all([1, 2, 3].map(() => here.page.context().newPage()));
    await Promise.all(tabs.map((tab) => tab.goto(here.site.server.url)));
    const held = `${OPTIONS}
      // Starts and stays at it, like a slow phone.
      const slow = () => new Worker(URL.createObjectURL(new Blob([""], { type: "text/javascript" })));
      await new Promise((started) => {
        sdk.load("/cnn/", { ...options, worker: () => (setTimeout(started), slow()) }).catch(() => {});
      });`;
    for (const tab of tabs) await inPage(tab, null, held);
    expect(await inPage(here.page, null, SERVING)).toBe("1.1.0");
  });

  test("files of versions that can no longer serve are removed", async () => {
    const stored = `return (await sdk.cache.list()).length + ":" + (await (await caches.open("distillate-1")).keys())
      .filter(({ url }) => url.includes("/file/")).length;`;
    await inPage(here.page, null, SERVING);
    // onnxruntime's file, the probe, one variant.
    expect(await inPage(here.page, null, stored)).toBe("1:3");
    publish(here.site.server, "cnn", await withOtherModel("1.1.0"));
    await inPage(here.page, null, UPDATE);
    await inPage(here.page, null, SERVING);
    expect(await inPage(here.page, null, stored)).toBe("1:5");
    await release("1.2.0");
    await inPage(here.page, null, UPDATE);
    await inPage(here.page, null, SERVING);
    await release("1.3.0");
    await inPage(here.page, null, UPDATE);
    await inPage(here.page, null, SERVING);
    // 1.1.0, whose files no other version has, is two versions back.
    expect(await inPage(here.page, null, stored)).toBe("1:3");
  });

  test("a first load that broke off is not tied to files that a new deployment has removed", async () => {
    here.site.server.fault = (request, response) => {
      if (!request.url?.endsWith(".onnx")) return false;
      response.writeHead(404).end();
      return true;
    };
    expect(await inPage(here.page, null, `return failure(${LOAD});`)).toMatchObject({ code: "download-failed" });
    here.site.server.fault = undefined;
    publish(here.site.server, "cnn", await withOtherModel("2.0.0"));
    for (const path of ["student.fp32.onnx", "student.int8.onnx", "probe.bin"])
      here.site.server.files.delete(`/cnn/${path}`);
    expect(await inPage(here.page, null, SERVING)).toBe("2.0.0");
    expect(await inPage(here.page, null, SERVING)).toBe("2.0.0");
  });

  test("a device that can write nothing any more still serves its staged version", async () => {
    await inPage(here.page, null, SERVING);
    await release("1.1.0");
    await inPage(here.page, null, UPDATE);
    const full = `Cache.prototype.put = () => Promise.reject(new DOMException("full", "QuotaExceededError"));`;
    expect(await inPage(here.page, null, `${full}${SERVING}`)).toBe("1.1.0");
  });
});
