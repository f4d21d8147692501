/** The page that a phone opens: it joins with its one-time token, does what it is asked, and shows how far it is. */
import { capabilities } from "@distillate/runtime-edge";
import type { DeviceFacts, DeviceMessage, Question } from "../device-protocol.ts";
import { answerHere } from "./page-host.ts";

const status = document.getElementById("status")!;
const detail = document.getElementById("detail")!;
const bar = document.getElementById("bar") as HTMLProgressElement;

const say = (what: string, more = ""): void => {
  status.textContent = what;
  detail.textContent = more;
};

/** A network hiccup shall not end a benchmark of minutes. */
const PATIENCE = { tries: 30, milliseconds: 1000 } as const;

async function post(path: string, body: unknown): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetch(path, { method: "POST", body: JSON.stringify(body) });
    } catch (error) {
      if (attempt === PATIENCE.tries) throw error;
      say("Waiting for the computer", "The connection was lost; trying again.");
      await new Promise((resolve) => setTimeout(resolve, PATIENCE.milliseconds));
    }
  }
}

async function facts(): Promise<DeviceFacts> {
  const { cores, webgpu } = await capabilities();
  const { deviceMemory } = navigator as { deviceMemory?: number };
  return {
    userAgent: navigator.userAgent,
    cores,
    memory: deviceMemory,
    screen: `${screen.width}x${screen.height} at ${devicePixelRatio}`,
    isolated: globalThis.crossOriginIsolated === true,
    webgpu: webgpu.available ? { adapter: webgpu.adapter, software: webgpu.software } : { reason: webgpu.reason },
  };
}

/** The screen stays on where the browser can do that: a page in a dark phone is throttled. */
async function stayAwake(): Promise<void> {
  try {
    await navigator.wakeLock.request("screen");
  } catch {
    detail.textContent = "Keep the screen on and this page in front.";
  }
}

async function run(): Promise<void> {
  // The token is in the address's fragment, which browsers send nowhere. Reloaded, the page has its cookie already.
  const token = location.hash.slice(1);
  const claimed = await post("/claim", { token });
  if (!claimed.ok) {
    say("This link was used already", "Start `distillate bench --serve` again for a new one.");
    return;
  }
  say("Ready");
  await stayAwake();
  let message: DeviceMessage | undefined = { joined: await facts() };
  for (let done = 0; ; ) {
    const response: Response = await post("/next", message ?? {});
    message = undefined;
    if (response.status === 204) continue;
    if (response.status === 410) break;
    if (response.status === 205) return location.reload();
    if (!response.ok) throw new Error(`the computer answered ${response.status}`);
    const { id, method, args, what } = (await response.json()) as Question;
    say("Measuring", what);
    bar.value = ++done % 100;
    message = { id, answer: await answerHere(method, args) };
  }
  bar.remove();
  say("Done", "The results are on the computer.");
}

run().catch((error: unknown) => say("It ended", String((error as Error)?.message ?? error)));
