/** The same losses at another temperature: those that soften what teacher and student say, all at once. */
import type { DistillConfig } from "../losses/config.ts";

/** Whether any loss softens; only then a temperature means something. */
export function hasTemperature(distill: DistillConfig): boolean {
  return Object.values(distill).some((knobs) => knobs !== undefined && "temperature" in knobs);
}

/** See the file's header. Schedules of the temperature give way to the constant. */
export function atTemperature(distill: DistillConfig, temperature: number): DistillConfig {
  const entries = Object.entries(distill).map(
    ([name, knobs]) =>
      [name, knobs !== undefined && "temperature" in knobs ? { ...knobs, temperature } : knobs] as const,
  );
  return Object.fromEntries(entries) as DistillConfig;
}
