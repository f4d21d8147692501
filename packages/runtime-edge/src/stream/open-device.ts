/** A camera or microphone, or the reason why there is none. */
import { DistillateError } from "@distillate/bundle";

type Device = "camera" | "microphone";

/** What each of the browser's refusals asks of the user. */
const HINTS: Readonly<Record<string, string>> = {
  NotAllowedError: "Ask again from a click, and say what it is for; the browser's address bar lets the user allow it.",
  NotFoundError: "Connect one, or offer to take a file instead.",
  OverconstrainedError: "Ask for less in `constraints`.",
  NotReadableError: "Another program uses it; close that first.",
};

/** @throws DistillateError `device-unavailable`. */
export async function openDevice(device: Device, constraints: MediaTrackConstraints): Promise<MediaStream> {
  const { mediaDevices } = globalThis.navigator;
  if (!mediaDevices) throw unavailable(device, "the page is not secure", "Serve the page by https, or from localhost.");
  try {
    return await mediaDevices.getUserMedia(device === "camera" ? { video: constraints } : { audio: constraints });
  } catch (cause) {
    const { name, message } = cause as DOMException;
    throw unavailable(
      device,
      `${name}: ${message}`,
      HINTS[name] ?? "Try again, or offer to take a file instead.",
      cause,
    );
  }
}

/** Lets go of a device, so that its light goes out. */
export function closeDevice(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** The error of a device that was unplugged or taken away. */
export function deviceEnded(device: Device): DistillateError {
  return unavailable(device, "it was unplugged or taken away", "Start the stream again when it is back.");
}

function unavailable(device: Device, found: string, hint: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "device-unavailable",
    message: `the ${device} cannot be used: ${found}`,
    hint,
    cause,
  });
}
