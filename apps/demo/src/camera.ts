/** The camera as input: frames one after the other, as fast as the slowest model answers. */

/** A running camera. */
export interface Camera {
  stop(): void;
}

/** Asks for the camera and gives frames until it is stopped, which may be while a person is still being asked. */
export function openCamera(onFrame: (frame: HTMLVideoElement) => void, onError: (error: Error) => void): Camera {
  const video = document.createElement("video");
  let timer: ReturnType<typeof setInterval> | undefined;
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    clearInterval(timer);
    for (const track of (video.srcObject as MediaStream | null)?.getTracks() ?? []) track.stop();
  };
  const start = async (): Promise<void> => {
    video.muted = true;
    video.playsInline = true;
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    if (stopped) return stop();
    await video.play();
    timer = setInterval(() => onFrame(video), 150);
  };
  start().catch((error: Error) => {
    const asked = !stopped;
    stop();
    if (asked) onError(error);
  });
  return { stop };
}
