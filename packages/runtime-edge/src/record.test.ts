import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  activate,
  beginStart,
  changeRecord,
  confirmStart,
  endStart,
  firstRecord,
  isCrashLoop,
  isRejected,
  type ModelRecord,
  parseRecord,
  readRecord,
  reject,
  rollBack,
  stage,
  takeOver,
} from "./record.ts";
import { memoryStore } from "./store/memory.ts";
import { keyOf } from "./store/store.ts";

const NOBODY: ReadonlySet<string> = new Set();
const CHOICE = { backend: "wasm", variant: "int8", threads: 1 } as const;
const URL = "https://example.test/manifest.json";

/** What can happen to a model on a device, as load and update do it. */
const happenings = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom("release" as const), version: fc.integer({ min: 2, max: 6 }) }),
    fc.constantFrom(
      { kind: "load" as const },
      { kind: "die" as const },
      { kind: "leave" as const },
      { kind: "fail" as const },
    ),
  ),
  { maxLength: 40 },
);

describe("the record of a model", () => {
  test("through any history: what serves is never a version that was given up, and a good version before is never lost", async () => {
    await fc.assert(
      fc.asyncProperty(happenings, async (history) => {
        let record: ModelRecord = firstRecord(URL, "v1", 0.5);
        let deaths = 0;
        let start = 0;
        for (const happening of history) {
          if (happening.kind === "release") {
            const text = `v${happening.version}`;
            if (text !== record.current && !(await isRejected(record, text))) record = stage(record, text);
            continue;
          }
          // Every load begins like this.
          const before = record;
          record = isCrashLoop(record, NOBODY) ? (await rollBack(record))! : activate(record);
          if (record.current !== before.current) deaths = 0;
          const name = `start/${start++}`;
          record = beginStart(record, name);
          if (happening.kind === "load") {
            record = confirmStart(record, "device", CHOICE);
            deaths = 0;
          } else if (happening.kind === "leave") {
            record = endStart(record, name);
          } else if (happening.kind === "fail") {
            const older = await rollBack(record);
            record = older ?? endStart(record, name);
            if (older) deaths = 0;
          } else {
            deaths++;
          }
          expect(await isRejected(record, record.current)).toBe(false);
          expect(record.previous).not.toBe(record.current);
          expect(record.starts.length).toBe(Math.min(32, deaths));
          if (isCrashLoop(record, NOBODY)) {
            expect(deaths).toBeGreaterThanOrEqual(3);
            expect((await rollBack(record))!.current).toBe(record.previous);
          }
          // Written and read again it is the same.
          expect(parseRecord(new TextEncoder().encode(JSON.stringify(record)))).toEqual(record);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("starts that other tabs have under way are no deaths", () => {
    const record = ["a", "b", "c"].reduce(beginStart, takeOver(firstRecord(URL, "v1", 0), "v2"));
    expect(isCrashLoop(record, NOBODY)).toBe(true);
    expect(isCrashLoop(record, new Set(["b"]))).toBe(false);
    expect(isCrashLoop(["a", "b", "c", "d"].reduce(beginStart, firstRecord(URL, "v1", 0)), NOBODY)).toBe(false);
  });

  test("what has nothing to do returns its argument", () => {
    const record = firstRecord(URL, "v1", 0);
    expect(activate(record)).toBe(record);
    expect(takeOver(record, "v1")).toBe(record);
    expect(endStart(record, "unknown")).toBe(record);
  });

  test("a version is rejected once, and the last choices are remembered", async () => {
    const record = await reject(await reject(firstRecord(URL, "v1", 0), "v2"), "v2");
    expect(record.rejected).toHaveLength(1);
    const many = Array.from({ length: 20 }, (_, i) => `device ${i}`).reduce(
      (each, device) => confirmStart(each, device, CHOICE),
      record,
    );
    expect(Object.keys(many.choices)).toHaveLength(8);
    expect(Object.keys(many.choices).at(-1)).toBe("device 19");
  });

  test("changes are kept, and a change that returns its argument writes nothing", async () => {
    const store = memoryStore();
    await changeRecord(store, URL, () => firstRecord(URL, "v1", 0));
    const changed = await changeRecord(store, URL, (record) => record && stage(record, "v2"));
    expect(await readRecord(store, URL)).toEqual(changed);
    await changeRecord({ ...store, write: () => Promise.reject(new Error("full")) }, URL, (record) => record);
  });

  test("any bytes are a record or none, never an error", () => {
    const json = fc.json().map((text) => new TextEncoder().encode(text));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), json), (bytes) => {
        expect(parseRecord(bytes)).toBeUndefined();
      }),
    );
  });

  test("keys of different kinds never meet", () => {
    expect(new Set([keyOf.file("a"), keyOf.partial("a"), keyOf.record("a")]).size).toBe(3);
  });
});
