/** This package's version, against which a bundle's `requires.runtime` is held; a test compares with package.json. */
export const RUNTIME_VERSION = "0.1.0";

/** Orders two semantic versions: negative, zero or positive. A pre-release comes before its release. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => {
    const [numbers = "", ...pre] = version.split("-");
    return { numbers: numbers.split(".").map(Number), pre: pre.join("-") };
  }) as [{ numbers: number[]; pre: string }, { numbers: number[]; pre: string }];
  for (let i = 0; i < 3; i++) {
    const difference = (left.numbers[i] ?? 0) - (right.numbers[i] ?? 0);
    if (difference !== 0) return difference;
  }
  if (left.pre === right.pre) return 0;
  if (left.pre === "" || right.pre === "") return left.pre === "" ? 1 : -1;
  return left.pre < right.pre ? -1 : 1;
}
