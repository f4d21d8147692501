/** WebAssembly in another engine: Firefox, where it is installed, opens a page that reports to the server by itself. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FixtureBundle, fixtureBundles } from "../fixtures/bundles.ts";
import { publish, serveSdk } from "./sdk-page.ts";
import type { TestServer } from "./server.ts";

const FIREFOX = ["firefox-esr", "firefox"].find((name) => spawnSync(name, ["--version"]).status === 0);

interface Report {
  readonly error?: string;
  readonly agent: string;
  readonly answers: readonly { readonly worker: string; readonly name: string; readonly difference: number }[];
  readonly aborted: string;
  readonly afterwards: string;
  readonly again: readonly string[];
  readonly events: readonly string[];
}

/** What the page does; `argument` has each bundle's probe. */
const PAGE = `
  import { load, cache } from "/sdk/index.js";
  const report = { agent: navigator.userAgent, answers: [], events: [] };
  const onEvent = ({ kind }) => report.events.push(kind);
  const options = { backend: "wasm", variant: "fp32", onEvent };
  try {
    for (const { name, inputs, outputs, dims } of argument) {
      for (const worker of ["module", "main-thread"]) {
        const model = await load("/" + name + "/", { ...options, worker });
        const { logits } = await model.runTensors({ input: { data: Float32Array.from(inputs), dims } });
        const difference = Math.max(...outputs.map((value, i) => Math.abs(value - logits.data[i])));
        report.answers.push({ worker, name, difference });
        await model.dispose();
      }
    }
    const model = await load("/resnet-8/", options);
    const controller = new AbortController();
    const heavy = { input: { data: new Float32Array(2048 * 3 * 32 * 32), dims: [2048, 3, 32, 32] } };
    const running = model.runTensors(heavy, { signal: controller.signal }).catch((error) => error.name);
    setTimeout(() => controller.abort(), 200);
    report.aborted = await running;
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillRect(0, 0, 9, 9);
    report.afterwards = (await model.run(canvas)).label;
    await model.dispose();
    report.again = (await cache.list()).map(({ id }) => id).sort();
  } catch (error) {
    report.error = String(error);
  }
  await fetch("/report", { method: "POST", body: JSON.stringify(report) });`;

describe.skipIf(!FIREFOX)("Firefox (needs Firefox)", () => {
  let server: TestServer;
  let bundles: readonly FixtureBundle[];
  let firefox: ChildProcess | undefined;
  beforeAll(async () => {
    [server, bundles] = await Promise.all([serveSdk(), fixtureBundles()]);
    for (const bundle of bundles) publish(server, bundle.name, bundle);
  });
  afterAll(async () => {
    firefox?.kill();
    await server.close();
  });

  test("computes what onnxruntime-node does, in a worker and in the page; aborts; keeps files", async () => {
    const argument = bundles.map(({ name, manifest, probe }) => ({
      name,
      inputs: [...probe.inputs],
      outputs: [...probe.outputs],
      dims: [probe.samples, ...manifest.inputs[0]!.shape.slice(1)],
    }));
    server.files.set(
      "/firefox/",
      `<!doctype html><body></body><script type="module">const argument = ${JSON.stringify(argument)};${PAGE}</script>`,
    );
    const reported = new Promise<Report>((resolve) => {
      server.fault = async (request, response) => {
        if (request.url !== "/report") return false;
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        response.writeHead(204).end();
        resolve(JSON.parse(Buffer.concat(chunks).toString("utf8")) as Report);
        return true;
      };
    });
    const profile = await mkdtemp(join(tmpdir(), "distillate-firefox-"));
    // Nothing but the page: no updates, no first-run pages, no reports.
    const off = [
      "app.update.enabled",
      "browser.aboutwelcome.enabled",
      "datareporting.policy.dataSubmissionEnabled",
      "network.captive-portal-service.enabled",
      "browser.shell.checkDefaultBrowser",
    ];
    await writeFile(join(profile, "user.js"), off.map((name) => `user_pref("${name}", false);\n`).join(""));
    firefox = spawn(FIREFOX!, ["--headless", "--no-remote", "--profile", profile, `${server.url}/firefox/`], {
      stdio: "ignore",
      env: { ...process.env, HOME: profile },
    });
    const report = await reported;
    expect(report.error).toBeUndefined();
    expect(report.agent).toContain("Firefox");
    expect(report.answers).toHaveLength(8);
    for (const { difference } of report.answers) expect(difference).toBeLessThanOrEqual(1e-4);
    expect(report.aborted).toBe("AbortError");
    expect(report.afterwards).toMatch(/^\d$/);
    expect(report.again).toEqual(["cnn", "ds-cnn", "resnet-8", "resnet-9"]);
    expect(report.events).toContain("engine-restarted");
    expect(report.events).not.toContain("attempt-failed");
  });
});
