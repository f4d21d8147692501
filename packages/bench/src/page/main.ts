/** The page in which targets of a browser run that a driver steers. */
import { capabilities } from "@distillate/runtime-edge";
import type { Host } from "../host.ts";
import type { Answer } from "../host-protocol.ts";
import { answerHere } from "./page-host.ts";

/** What the driver of this page calls. */
export interface PageApi {
  call(method: keyof Host, args: readonly unknown[]): Promise<Answer>;
  facts(): ReturnType<typeof capabilities>;
}

const api: PageApi = { call: answerHere, facts: capabilities };
Object.assign(globalThis, { distillateBench: api });
