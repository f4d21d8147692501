/**
 * The line to a device that runs a benchmark: it joins once with a token, and from then on asks for work over plain requests, so that a
 * network address or a tunnel is all it takes. Whoever has no token gets neither models nor inputs.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { DistillateError } from "@distillate/bundle";
import type { DeviceFacts, DeviceMessage, Question } from "../device-protocol.ts";
import type { Host } from "../host.ts";
import { type Answer, type Connection, unpack } from "../host-protocol.ts";

/** A question may take so long before its device counts as lost. */
const PATIENCE_MILLISECONDS = 180_000;
/** A device that does not come back within this time is gone. */
const RETURN_MILLISECONDS = 60_000;
/** Requests that wait for work are answered with nothing after this time, before anything on the way gives up on them. */
const WAIT_MILLISECONDS = 20_000;
/** A device that is not told by then that all is done has left. */
const FAREWELL_MILLISECONDS = 5_000;
const MOST_BYTES = 64 << 20;
const COOKIE = "distillate-device";

/** One device's line. */
export interface DeviceLine {
  /** Goes into the address's fragment; good for one device. */
  readonly token: string;
  /** Answers what is the line's own; false for requests that are not, which may go on only from the device itself. */
  handle(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean>;
  /** Whether a request comes from the device that joined. */
  isDevice(request: IncomingMessage): boolean;
  /** Waits until a device is there: for the first one as long as it takes, for one that was lost a minute. */
  connect(): Promise<Connection & { readonly facts: DeviceFacts }>;
  /** Tells the device that all is done. */
  end(): Promise<void>;
}

interface Asked {
  readonly question: Question;
  readonly resolve: (answer: Answer) => void;
}

/** Opens a line. */
export function openDeviceLine(): DeviceLine {
  const token = randomBytes(16).toString("hex");
  const key = randomBytes(16).toString("hex");
  let isClaimed = false;
  let [isOver, isTold] = [false, false];
  let ids = 0;
  let facts: DeviceFacts | undefined;
  /** Counts how often a device has joined: questions of an earlier time are lost. */
  let times = 0;
  let asked: Asked | undefined;
  let lose: (how: string) => void = () => undefined;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const each of waiting) each();
    waiting.clear();
  };
  /** Waits for something to change. */
  const change = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(done, milliseconds);
      function done(): void {
        clearTimeout(timer);
        waiting.delete(done);
        resolve();
      }
      waiting.add(done);
    });
  const isDevice = ({ headers }: IncomingMessage): boolean =>
    (headers.cookie ?? "").split(/;\s*/).some((pair) => isSame(pair, `${COOKIE}=${key}`));

  function take(message: DeviceMessage): void {
    if ("joined" in message) {
      lose("was loaded again");
      facts = message.joined;
      times++;
    } else if (asked?.question.id === message.id) {
      asked.resolve(message.answer);
    }
    wake();
  }

  async function next(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const message = (await readJson(request)) as Partial<DeviceMessage>;
    if ("joined" in message || "id" in message) take(message as DeviceMessage);
    // It was given up: loaded again, it joins anew.
    if (facts === undefined && !isOver) return void response.writeHead(205).end();
    const until = performance.now() + WAIT_MILLISECONDS;
    while (asked === undefined && !isOver && performance.now() < until) await change(until - performance.now());
    if (isOver) {
      response.writeHead(410).end();
      isTold = true;
      wake();
    } else if (asked === undefined) response.writeHead(204).end();
    else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(asked.question));
  }

  return {
    token,
    isDevice,
    async handle(path, request, response) {
      if (request.method !== "POST") return false;
      if (path === "/claim") {
        const given = ((await readJson(request)) as { token?: unknown }).token;
        if (isDevice(request)) response.writeHead(200).end();
        else if (isClaimed || typeof given !== "string" || !isSame(given, token)) response.writeHead(403).end();
        else {
          isClaimed = true;
          response.writeHead(200, { "set-cookie": `${COOKIE}=${key}; HttpOnly; SameSite=Strict; Path=/` }).end();
        }
        return true;
      }
      if (path !== "/next") return false;
      if (!isDevice(request)) response.writeHead(403).end();
      else await next(request, response);
      return true;
    },
    async connect() {
      const isFirst = times === 0;
      const known = times;
      const until = performance.now() + RETURN_MILLISECONDS;
      // A device that was lost while it was at work joins anew; one that is there is there.
      while (facts === undefined && !isOver && (isFirst || performance.now() < until)) await change(1000);
      if (facts === undefined) throw gone(isFirst ? "never came" : "did not come back");
      const mine = Math.max(times, known);
      let alive = true;
      return {
        facts,
        get alive() {
          return alive && mine === times && !isOver;
        },
        async call(method: keyof Host, args: readonly unknown[]) {
          const sent = method === "setInputs" ? [] : args;
          const question: Question = { id: ++ids, method, args: sent, what: describe(method, args) };
          try {
            return unpack(
              await new Promise<Answer>((resolve, reject) => {
                const timer = setTimeout(() => lose("gave no answer for three minutes"), PATIENCE_MILLISECONDS);
                lose = (how) => {
                  clearTimeout(timer);
                  alive = false;
                  facts = undefined;
                  reject(gone(how));
                };
                asked = {
                  question,
                  resolve: (answer) => {
                    clearTimeout(timer);
                    resolve(answer);
                  },
                };
                wake();
              }),
            );
          } finally {
            asked = undefined;
            lose = () => undefined;
          }
        },
        end: async () => undefined,
      };
    },
    async end() {
      isOver = true;
      wake();
      const until = performance.now() + FAREWELL_MILLISECONDS;
      while (facts !== undefined && !isTold && performance.now() < until) await change(until - performance.now());
    },
  };
}

function describe(method: keyof Host, args: readonly unknown[]): string {
  const [first] = args;
  if (method === "setInputs") return "fetching the inputs";
  const name = typeof first === "string" ? first : ((first as { id?: string } | undefined)?.id ?? "");
  return `${method} ${name}`.trim();
}

function isSame(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.byteLength;
    if (size > MOST_BYTES) throw new Error("the request is too large");
    parts.push(part);
  }
  const found: unknown = JSON.parse(Buffer.concat(parts).toString("utf8") || "{}");
  return typeof found === "object" && found !== null ? found : {};
}

function gone(how: string): DistillateError {
  return new DistillateError({
    code: "target-died",
    message: `its device ${how}`,
    hint: "Keep the device's screen on and the page in front; a smaller model needs less memory.",
  });
}
