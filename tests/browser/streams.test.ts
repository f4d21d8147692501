/** Camera and microphone through a model, with Chromium's own fake devices: a moving picture and a beep a second. */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { findChromium } from "./chromium.ts";
import { inPage, openSite, type Site } from "./sdk-page.ts";

interface Counts {
  readonly frames: number;
  readonly answered: number;
  readonly skipped: number;
}

const HELPERS = `
  const open = (options = {}) => sdk.load("/cnn/", { backend: "wasm", variant: "fp32", ...options });
  const until = async (done) => {
    for (let i = 0; i < 1000 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const errors = [];
  const onError = ({ code, message }) => errors.push(code ?? message);`;

describe.skipIf(!findChromium())("streams (needs Chromium)", () => {
  let site: Site;
  let page: Page;
  beforeAll(async () => {
    site = await openSite({ devices: true });
  });
  beforeEach(async () => {
    page = await site.freshPage();
  });
  afterEach(() => site.reset());
  afterAll(() => site.close());

  test("the camera's frames are answered, smoothed and detected, until it is stopped and let go of", async () => {
    const found = await inPage<{
      counts: Counts;
      later: Counts;
      sums: number[];
      detected: number;
      live: string[];
      errors: string[];
    }>(
      page,
      null,
      `${HELPERS}
      const model = await open();
      const answers = [];
      const stream = await sdk.watchCamera(model, {
        smooth: 4, detect: { threshold: 0.01, rest: 60000 }, topK: 10, onError, onAnswer: (answer) => answers.push(answer),
      });
      const [track] = stream.video.srcObject.getTracks();
      await until(() => answers.length >= 8);
      await stream.stop();
      const counts = stream.counts;
      await new Promise((resolve) => setTimeout(resolve, 200));
      await model.dispose();
      return {
        counts, errors, later: stream.counts, live: [track.readyState],
        sums: answers.map(({ top }) => top.reduce((sum, { score }) => sum + score, 0)),
        detected: answers.filter(({ detected }) => detected).length - new Set(answers.map(({ index }) => index)).size,
      };`,
    );
    expect(found.errors).toEqual([]);
    expect(found.counts.answered).toBeGreaterThanOrEqual(8);
    expect(found.counts.frames).toBeGreaterThanOrEqual(found.counts.answered);
    expect(found.later).toEqual(found.counts);
    expect(found.live).toEqual(["ended"]);
    // Each class once, and smoothed probabilities are still probabilities.
    expect(found.detected).toBe(0);
    for (const sum of found.sums) expect(sum).toBeCloseTo(1, 4);
  });

  test("a model slower than the camera gets the newest frame, never a queue of old ones", async () => {
    const found = await inPage<{ counts: Counts; most: number; errors: string[] }>(
      page,
      null,
      `${HELPERS}
      const model = await open();
      let underWay = 0;
      let most = 0;
      const slow = {
        manifest: model.manifest,
        async run(...call) {
          most = Math.max(most, ++underWay);
          await new Promise((resolve) => setTimeout(resolve, 150));
          return model.run(...call).finally(() => underWay--);
        },
      };
      const stream = await sdk.watchCamera(slow, { onError, onAnswer: () => {} });
      await until(() => stream.counts.answered >= 4);
      await stream.stop();
      await model.dispose();
      return { counts: stream.counts, most, errors };`,
    );
    expect(found).toMatchObject({ most: 1, errors: [] });
    expect(found.counts.skipped).toBeGreaterThan(0);
    expect(found.counts.frames).toBeGreaterThanOrEqual(found.counts.answered + found.counts.skipped);
  });

  test("without requestVideoFrameCallback the screen's own frames drive it; a signal stops it; failures are told and passed over", async () => {
    const found = await inPage<{ answered: number; errors: string[]; stopped: string }>(
      page,
      null,
      `${HELPERS}
      delete HTMLVideoElement.prototype.requestVideoFrameCallback;
      const model = await open();
      let calls = 0;
      const flaky = {
        manifest: model.manifest,
        run: (...call) => (++calls === 2 ? Promise.reject(new Error("once")) : model.run(...call)),
      };
      const controller = new AbortController();
      let answered = 0;
      const stream = await sdk.watchCamera(flaky, { signal: controller.signal, onError, onAnswer: () => answered++ });
      const [track] = stream.video.srcObject.getTracks();
      await until(() => answered >= 4);
      controller.abort();
      await until(() => track.readyState === "ended");
      await model.dispose();
      return { answered, errors, stopped: track.readyState };`,
    );
    expect(found.answered).toBeGreaterThanOrEqual(4);
    expect(found).toMatchObject({ errors: ["once"], stopped: "ended" });
  });

  test("a stream that is given up while its device opens lets go of it", async () => {
    const found = await inPage<{ failures: { name: string }[]; states: string[] }>(
      page,
      null,
      `${HELPERS}
      const model = await open();
      const tracks = [];
      const { getUserMedia } = MediaDevices.prototype;
      let controller;
      MediaDevices.prototype.getUserMedia = async function (wishes) {
        const stream = await getUserMedia.call(this, wishes);
        tracks.push(...stream.getTracks());
        controller.abort();
        return stream;
      };
      const failures = [];
      for (const start of [
        (signal) => sdk.watchCamera(model, { signal, onError, onAnswer: () => {} }),
        (signal) => sdk.listen({ signal, onError, onWindow: () => {} }),
      ]) {
        controller = new AbortController();
        failures.push(await failure(start(controller.signal)));
      }
      await model.dispose();
      return { failures, states: tracks.map(({ readyState }) => readyState) };`,
    );
    expect(found.failures.map((each) => each?.name)).toEqual(["AbortError", "AbortError"]);
    expect(found.states).toEqual(["ended", "ended"]);
  });

  test("a camera that may not be used is an error with the reason and the way out", async () => {
    const failures = await inPage<{ code: string; message: string }[]>(
      page,
      null,
      `${HELPERS}
      const model = await open();
      const failures = [];
      for (const name of ["NotAllowedError", "NotFoundError"]) {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", name));
        failures.push(await failure(sdk.watchCamera(model, { onError, onAnswer: () => {} })));
        failures.push(await failure(sdk.listen({ onError, onWindow: () => {} })));
      }
      await model.dispose();
      return failures;`,
    );
    expect(failures.map(({ code }) => code)).toEqual(new Array(4).fill("device-unavailable"));
    expect(failures[0]!.message).toContain("camera");
    expect(failures[1]!.message).toContain("microphone");
  });

  test("the microphone comes in windows of its rate, and overlapping by what the hop leaves", async () => {
    const found = await inPage<{ rate: number; lengths: number[]; overlaps: boolean[]; loud: number; state: string }>(
      page,
      null,
      `${HELPERS}
      const windows = [];
      let track;
      const { getUserMedia } = MediaDevices.prototype;
      MediaDevices.prototype.getUserMedia = async function (wishes) {
        const stream = await getUserMedia.call(this, wishes);
        [track] = stream.getTracks();
        return stream;
      };
      const stream = await sdk.listen({ window: 8000, hop: 2000, onError, onWindow: (samples) => void windows.push(samples) });
      await until(() => windows.length >= 6);
      await stream.stop();
      if (errors.length > 0) throw new Error(errors.join());
      return {
        rate: stream.sampleRate, state: track.readyState, lengths: windows.map(({ length }) => length),
        overlaps: windows.slice(1).map((window, i) => window.subarray(0, 6000).every((x, j) => x === windows[i][2000 + j])),
        loud: Math.max(...windows.map((window) => Math.max(...window))),
      };`,
    );
    expect(found).toMatchObject({ rate: 16_000, state: "ended" });
    expect(new Set(found.lengths)).toEqual(new Set([8000]));
    expect(found.overlaps.every(Boolean)).toBe(true);
    expect(found.loud).toBeGreaterThan(0.01);
  });

  test("while a window is worked on, newer ones replace each other; what the work throws is told", async () => {
    const found = await inPage<{ seen: number; dropped: number; errors: string[] }>(
      page,
      null,
      `${HELPERS}
      let seen = 0;
      const stream = await sdk.listen({
        window: 1600, hop: 800, onError,
        onWindow: async () => {
          await new Promise((resolve) => setTimeout(resolve, 300));
          if (++seen === 2) throw new Error("once");
        },
      });
      await until(() => seen >= 4);
      await stream.stop();
      return { seen, dropped: stream.dropped, errors };`,
    );
    expect(found.dropped).toBeGreaterThan(0);
    expect(found.errors).toEqual(["once"]);
  });
});
