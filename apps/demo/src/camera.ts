/** The camera as input: frames one after the other, as fast as the slowest model answers. */

/** A running camera. */
export interface Camera {
  stop(): void;
}

/** Asks for the camera and gives frames until it is stopped. */
export async function openCamera(onFrame: (frame: HTMLVideoElement) => void): Promise<Camera> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  await video.play();
  const timer = setInterval(() => onFrame(video), 150);
  return {
    stop() {
      clearInterval(timer);
      for (const track of stream.getTracks()) track.stop();
    },
  };
}
