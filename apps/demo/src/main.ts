/** The page, top to bottom: what is served, a card for each precision of each bundle, and the ways an input comes in. */

import type { Manifest } from "@distillate/bundle";
import { capabilities } from "@distillate/runtime-edge";
import { type Camera, openCamera } from "./camera.ts";
import { type Card, makeCard } from "./card.ts";
import { centreDigit } from "./centre-digit.ts";
import { drawOn } from "./drawing.ts";
import { shareAddress } from "./share.ts";

interface Served {
  readonly title: string;
  readonly url: string;
}

const at = <Type extends HTMLElement>(id: string): Type => document.getElementById(id) as Type;
const pad = at<HTMLCanvasElement>("pad");
const hint = at("pad-hint");
const note = at("note");

async function fetchJson<Value>(path: string): Promise<Value> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return (await response.json()) as Value;
}

/** What is served; without it the page says so and stays empty. */
async function served(): Promise<readonly (Served & { readonly manifest: Manifest })[]> {
  try {
    const found = await fetchJson<readonly Served[]>("bundles.json");
    return await Promise.all(
      found.map(async (each) => ({ ...each, manifest: await fetchJson<Manifest>(`${each.url}manifest.json`) })),
    );
  } catch (error) {
    note.textContent = `The models cannot be listed: ${(error as Error).message}. Is \`distillate serve\` still running?`;
    return [];
  }
}

let cards: readonly Card[] = [];
/** The newest input, for cards that come after it. */
let latest: ImageData | undefined;

/** What changes with every stroke is read out once it rests. */
let speaking: ReturnType<typeof setTimeout> | undefined;

const show = (input: ImageData): void => {
  latest = input;
  for (const card of cards) card.show(input);
  const seen = at<HTMLCanvasElement>("seen-image");
  [seen.width, seen.height] = [input.width, input.height];
  seen.getContext("2d")!.putImageData(input, 0, 0);
  at("seen").hidden = false;
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    at("status").textContent = cards.map(({ element }) => element.getAttribute("aria-label")).join("; ");
  }, 1000);
};

const drawing = drawOn(pad, () => {
  hint.hidden = true;
  const digit = centreDigit(pad);
  if (digit) show(digit.getContext("2d")!.getImageData(0, 0, digit.width, digit.height));
});

/** Pixels of a picture, scaled down so that its longer side is at most 512, and drawn on the pad for people to see. */
function take(source: CanvasImageSource, width: number, height: number): void {
  const scale = Math.min(1, 512 / Math.max(width, height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  drawing.clear();
  hint.hidden = true;
  const fit = Math.min(pad.width / canvas.width, pad.height / canvas.height);
  const [w, h] = [canvas.width * fit, canvas.height * fit];
  pad.getContext("2d")!.drawImage(canvas, (pad.width - w) / 2, (pad.height - h) / 2, w, h);
  show(context.getImageData(0, 0, canvas.width, canvas.height));
}

async function takeFile(file: Blob | undefined): Promise<void> {
  if (file === undefined) return;
  stopCamera();
  try {
    const bitmap = await createImageBitmap(file);
    take(bitmap, bitmap.width, bitmap.height);
    bitmap.close();
    note.textContent = "Or drop or paste an image anywhere.";
  } catch {
    note.textContent = "This file is no image that the browser can open.";
  }
}

let camera: Camera | undefined;
function stopCamera(): void {
  camera?.stop();
  camera = undefined;
  at("camera").textContent = "Camera";
}

function clear(): void {
  stopCamera();
  drawing.clear();
  hint.hidden = false;
  at("seen").hidden = true;
  latest = undefined;
  for (const card of cards) card.clear();
}

at("clear").addEventListener("click", clear);
pad.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" || key === "Delete" || key === "Backspace") clear();
});
at<HTMLInputElement>("file").addEventListener("change", ({ currentTarget }) => {
  const field = currentTarget as HTMLInputElement;
  void takeFile(field.files?.[0]);
  field.value = "";
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  void takeFile(event.dataTransfer?.files[0]);
});
document.addEventListener("paste", (event) => void takeFile(event.clipboardData?.files[0]));

// Only pages of a secure origin have cameras: not those of a LAN address.
if (navigator.mediaDevices) {
  at("camera").hidden = false;
  at("camera").addEventListener("click", () => {
    if (camera) return stopCamera();
    at("camera").textContent = "Stop the camera";
    camera = openCamera(
      (frame) => take(frame, frame.videoWidth, frame.videoHeight),
      ({ message }) => {
        stopCamera();
        note.textContent = `The camera cannot be used: ${message}`;
      },
    );
  });
}

// From here on the page waits for others; whoever was quicker with the pen has drawn already.
const bundles = await served();
cards = bundles.flatMap(({ title, url, manifest }) =>
  manifest.variants.map(({ id }) => makeCard({ title, url, variant: id })),
);
at("models").append(...cards.map(({ element }) => element));
if (latest) show(latest);
// Drawings suit models of one channel; others are shown pictures.
if (!bundles.some(({ manifest }) => manifest.preprocess.channels === 1)) {
  hint.textContent = "Drop an image";
  pad.style.pointerEvents = "none";
}

const { cores, threads, webgpu } = await capabilities();
at("device").textContent = [
  `${cores} cores`,
  `${threads.usable} usable by WebAssembly`,
  webgpu.available ? `WebGPU: ${webgpu.adapter}` : `no WebGPU (${webgpu.reason})`,
].join(" · ");
await shareAddress(at<HTMLDetailsElement>("share"));
