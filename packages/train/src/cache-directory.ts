import { homedir } from "node:os";
import { join } from "node:path";

/**
 * A place of this user outside of any project, for what can be made again: decoded and downloaded data, engines.
 * `DISTILLATE_CACHE` moves it, otherwise `XDG_CACHE_HOME` does.
 */
export function cacheDirectory(...parts: readonly string[]): string {
  const { DISTILLATE_CACHE, XDG_CACHE_HOME } = process.env;
  const base = DISTILLATE_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "distillate");
  return join(base, ...parts);
}
