/** A camera, or any video that plays, through a model: always the newest frame, never more than one call under way. */
import { topK } from "@distillate/bundle";
import type { Classification, Model, RunOptions } from "../model.ts";
import { createDetector, type DetectorOptions } from "./debounce.ts";
import { closeDevice, deviceEnded, openDevice } from "./open-device.ts";
import { createSmoother } from "./smooth.ts";

/** How frames become answers. */
export interface CameraOptions extends RunOptions {
  /** A video of the page; without `source` it is given the camera's picture. */
  readonly video?: HTMLVideoElement;
  /** `video` takes what plays there; `camera`, the default, opens one. */
  readonly source?: "camera" | "video";
  readonly constraints?: MediaTrackConstraints;
  /** Frames over which scores are averaged. */
  readonly smooth?: number;
  /** Tells each class once; see {@link StreamAnswer.detected}. */
  readonly detect?: Partial<DetectorOptions>;
  /** Calls a second at most. */
  readonly maxRate?: number;
  readonly onAnswer: (answer: StreamAnswer) => void;
  /** A call that failed, after which the stream goes on; or a camera that went, after which it has stopped. */
  readonly onError: (error: Error) => void;
}

/** One frame's answer. */
export interface StreamAnswer extends Classification {
  /** Whether the class has just reached the threshold, for the first time in a while. */
  readonly detected: boolean;
  /** Milliseconds since the page began, as `performance.now()`. */
  readonly at: number;
}

/** A stream that runs. */
export interface CameraStream {
  readonly video: HTMLVideoElement;
  /** Frames shown, frames answered, and frames that came while a call was under way. */
  readonly counts: { readonly frames: number; readonly answered: number; readonly skipped: number };
  /** Ends it, and lets go of the camera; resolves when nothing is under way. */
  stop(): Promise<void>;
}

/**
 * Starts a stream. `options.signal` stops it.
 *
 * @throws DistillateError `device-unavailable` with the reason and the way out.
 */
export async function watchCamera(
  model: Pick<Model, "run" | "manifest">,
  options: CameraOptions,
): Promise<CameraStream> {
  const {
    signal,
    onAnswer,
    onError,
    maxRate = Number.POSITIVE_INFINITY,
    topK: listed = model.manifest.postprocess.topK,
  } = options;
  signal?.throwIfAborted();
  const video = options.video ?? document.createElement("video");
  const camera =
    options.source === "video"
      ? undefined
      : await openDevice("camera", options.constraints ?? { facingMode: "environment", width: 640, height: 480 });
  if (camera) await play(video, camera);
  if (camera && signal?.aborted) {
    closeDevice(camera);
    throw signal.reason;
  }

  const smoother = createSmoother(options.smooth ?? 1);
  const detector = createDetector({ threshold: 0.5, rest: 1000, ...options.detect });
  const { labels } = model.manifest;
  const counts = { frames: 0, answered: 0, skipped: 0 };
  const stopping = new AbortController();
  let current: Promise<void> | undefined;
  let last = Number.NEGATIVE_INFINITY;
  let cancel = (): void => {};

  const answer = async (at: number): Promise<void> => {
    try {
      const { timeout } = options;
      const all = { topK: labels.length, signal: stopping.signal, ...(timeout === undefined ? {} : { timeout }) };
      const { top, milliseconds } = await model.run(video, all);
      const scores = new Float32Array(labels.length);
      for (const { index, score } of top) scores[index] = score;
      const ranked = topK(smoother.push(scores), labels, Math.max(1, listed));
      const [best] = ranked as [Classification["top"][number]];
      counts.answered++;
      onAnswer({ ...best, top: ranked, milliseconds, at, detected: detector.push(best.index, best.score, at) });
    } catch (error) {
      if (!stopping.signal.aborted) onError(error as Error);
    }
  };
  const onFrame = (): void => {
    const now = performance.now();
    counts.frames++;
    if (current) counts.skipped++;
    else if (now - last >= 1000 / maxRate) {
      last = now;
      current = answer(now).finally(() => {
        current = undefined;
      });
    }
    cancel = nextFrame(video, onFrame);
  };
  const stop = async (): Promise<void> => {
    cancel();
    signal?.removeEventListener("abort", onAbort);
    stopping.abort(new DOMException("the stream was stopped", "AbortError"));
    if (camera) {
      closeDevice(camera);
      video.srcObject = null;
    }
    await current;
  };
  const onAbort = (): void => void stop();
  signal?.addEventListener("abort", onAbort, { once: true });
  camera?.getVideoTracks()[0]?.addEventListener("ended", () => {
    void stop();
    onError(deviceEnded("camera"));
  });
  cancel = nextFrame(video, onFrame);
  return {
    video,
    get counts() {
      return { ...counts };
    },
    stop,
  };
}

async function play(video: HTMLVideoElement, camera: MediaStream): Promise<void> {
  video.srcObject = camera;
  // Phones play a video in the page, and at all, only so.
  video.muted = true;
  video.playsInline = true;
  try {
    await video.play();
  } catch (error) {
    closeDevice(camera);
    throw error;
  }
}

/** Calls when the video shows a new frame, or with the screen where browsers do not tell; returns how to cancel. */
function nextFrame(video: HTMLVideoElement, onFrame: () => void): () => void {
  if (typeof video.requestVideoFrameCallback === "function") {
    const handle = video.requestVideoFrameCallback(onFrame);
    return () => video.cancelVideoFrameCallback(handle);
  }
  const shown = video.currentTime;
  let handle = 0;
  const look = (): void => {
    if (video.currentTime !== shown && video.readyState >= video.HAVE_CURRENT_DATA) onFrame();
    else handle = requestAnimationFrame(look);
  };
  handle = requestAnimationFrame(look);
  return () => cancelAnimationFrame(handle);
}
