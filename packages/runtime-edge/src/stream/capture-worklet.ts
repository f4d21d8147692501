/** Runs on the audio thread: hands the first channel's samples to the page. A file of its own, so that no blob is needed. */

declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** A message each 128 samples would be 125 a second at 16 kHz. */
const SAMPLES = 1024;

registerProcessor(
  "distillate-capture",
  class extends AudioWorkletProcessor {
    #buffer = new Float32Array(SAMPLES);
    #length = 0;

    process([input]: readonly (readonly Float32Array[])[]): boolean {
      const samples = input?.[0];
      if (samples) {
        this.#buffer.set(samples, this.#length);
        this.#length += samples.length;
      }
      if (this.#length === SAMPLES) {
        this.port.postMessage(this.#buffer, [this.#buffer.buffer]);
        this.#buffer = new Float32Array(SAMPLES);
        this.#length = 0;
      }
      return true;
    }
  },
);
