/** The places of a window over an image, as the loops of pooling go through them. */
import { bump, type Code, i32, type Local, type LocalType, loopWhile, strided } from "./assembler.ts";

/** Height and width of a window that a loop is made for. */
export type WindowSize = readonly [height: number, width: number];

/** Variables of a loop; strides are in bytes. */
export interface WindowVariables {
  readonly row: Local;
  readonly pixel: Local;
  /** Not there where the size is known. */
  readonly height: Local | undefined;
  readonly width: Local | undefined;
}

/** A way through the places of any window. */
export interface WindowWalk {
  /** To be run once, before any window. */
  readonly start: Code;
  /** Goes through one: `visit` gets how many bytes from the first a place is. */
  everyPlace(visit: (place: Code) => Code): Code;
}

/** Without loops where the size is known. */
export function walkWindow(
  { row, pixel, height, width }: WindowVariables,
  size: WindowSize | undefined,
  local: (type: LocalType) => Local,
): WindowWalk {
  if (size) {
    const places = Array.from({ length: size[0] * size[1] }, () => local("i32"));
    const start = places.flatMap((place, i) => {
      const down = strided(i32.const(0), row.get, Math.floor(i / size[1]));
      return place.set(strided(down, pixel.get, i % size[1]));
    });
    return { start, everyPlace: (visit) => places.flatMap(({ get }) => visit(get)) };
  }
  const [y, column, place, rowPlace] = Array.from({ length: 4 }, () => local("i32")) as [Local, Local, Local, Local];
  return {
    start: [],
    everyPlace: (visit) => [
      ...rowPlace.set(i32.const(0)),
      ...y.set(height!.get),
      ...loopWhile(y.get, [
        ...place.set(rowPlace.get),
        ...column.set(width!.get),
        ...loopWhile(column.get, [...visit(place.get), ...bump(place, pixel.get), ...bump(column, i32.const(-1))]),
        ...bump(rowPlace, row.get),
        ...bump(y, i32.const(-1)),
      ]),
    ],
  };
}
