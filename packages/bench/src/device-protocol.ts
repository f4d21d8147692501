/** What a device and the server that measures it say to each other: the device asks for the next thing to do, and answers it. */
import type { Host } from "./host.ts";
import type { Answer } from "./host-protocol.ts";

/** What a device says of itself when it joins. */
export interface DeviceFacts {
  readonly userAgent: string;
  readonly cores: number;
  /** Gigabytes, as far as the browser tells: rounded, at most 8. */
  readonly memory?: number | undefined;
  readonly screen: string;
  /** Whether WebAssembly may use threads; only over https or on the device itself. */
  readonly isolated: boolean;
  /** Name of the graphics adapter, or why there is none. */
  readonly webgpu: { readonly adapter: string; readonly software: boolean } | { readonly reason: string };
}

/** One thing to do. */
export interface Question {
  readonly id: number;
  readonly method: keyof Host;
  readonly args: readonly unknown[];
  /** In words, for whoever looks at the device. */
  readonly what: string;
}

/** What a device posts: at first who it is, then what came of the last question. */
export type DeviceMessage = { readonly joined: DeviceFacts } | { readonly id: number; readonly answer: Answer };
