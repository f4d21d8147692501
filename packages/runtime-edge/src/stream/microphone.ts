/** A microphone in windows: the audio thread collects samples, the page cuts them, and only the newest window waits for its turn. */
import { DistillateError } from "@distillate/bundle";
import { createLatestOnly } from "./latest-only.ts";
import { closeDevice, deviceEnded, openDevice } from "./open-device.ts";
import { createWindows } from "./windows.ts";

/** How sound becomes windows. */
export interface MicrophoneOptions {
  /** Samples a second; the browser resamples. */
  readonly sampleRate?: number;
  /** Samples a window. */
  readonly window?: number;
  /** Samples from one window's beginning to the next one's. */
  readonly hop?: number;
  readonly constraints?: MediaTrackConstraints;
  /** Address of the audio thread's script, where a bundler does not place `capture-worklet.js`. */
  readonly workletUrl?: string | URL;
  /** Takes a window; while it works, newer windows replace each other. `at` is as `performance.now()` at the window's end. */
  readonly onWindow: (samples: Float32Array, at: number) => void | Promise<void>;
  /** What `onWindow` threw, after which the stream goes on; or a microphone that went, after which it has stopped. */
  readonly onError: (error: Error) => void;
  readonly signal?: AbortSignal;
}

/** A stream that runs. */
export interface MicrophoneStream {
  readonly sampleRate: number;
  /** Windows that were replaced by newer ones while `onWindow` worked. */
  readonly dropped: number;
  stop(): Promise<void>;
}

/** Several channels are mixed. */
const ONE_CHANNEL: AudioWorkletNodeOptions = { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" };

/** Models are trained on sound as it is. */
const UNCHANGED: MediaTrackConstraints = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

/**
 * Starts listening. Browsers want a click or tap before it.
 *
 * @throws DistillateError `device-unavailable` or `option-invalid`.
 */
export async function listen(options: MicrophoneOptions): Promise<MicrophoneStream> {
  const { sampleRate = 16_000, window = sampleRate, hop = window >> 1, signal, onError } = options;
  signal?.throwIfAborted();
  const windows = createWindows(window, hop);
  const microphone = await openDevice("microphone", { ...UNCHANGED, ...options.constraints });
  let context: AudioContext | undefined;
  const work = createLatestOnly(async ({ samples, at }: { samples: Float32Array; at: number }) => {
    try {
      await options.onWindow(samples, at);
    } catch (error) {
      onError(error as Error);
    }
  });
  let node: AudioWorkletNode | undefined;
  const stop = async (): Promise<void> => {
    signal?.removeEventListener("abort", onAbort);
    if (node) node.port.onmessage = null;
    closeDevice(microphone);
    if (context && context.state !== "closed") await context.close();
    await work.stop();
  };
  const onAbort = (): void => void stop();
  try {
    context = new AudioContext({ sampleRate });
    await context.audioWorklet.addModule(options.workletUrl ?? new URL("./capture-worklet.js", import.meta.url));
    node = new AudioWorkletNode(context, "distillate-capture", ONE_CHANNEL);
    context.createMediaStreamSource(microphone).connect(node);
    // Where the page still waits for a gesture, sound begins with it.
    void context.resume().catch(() => {});
    signal?.throwIfAborted();
  } catch (cause) {
    await stop();
    if (signal?.aborted) throw signal.reason;
    throw new DistillateError({
      code: "device-unavailable",
      message: `the microphone cannot be read: ${(cause as Error).message}`,
      hint: "Pass `workletUrl` if capture-worklet.js is elsewhere; in browsers that do not resample, the microphone's own `sampleRate`.",
      cause,
    });
  }
  node.port.onmessage = ({ data }: MessageEvent<Float32Array>) => {
    for (const samples of windows.push(data)) work.push({ samples, at: performance.now() });
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  microphone.getAudioTracks()[0]?.addEventListener("ended", () => {
    void stop();
    onError(deviceEnded("microphone"));
  });
  return {
    sampleRate: context.sampleRate,
    get dropped() {
      return work.dropped;
    },
    stop,
  };
}
