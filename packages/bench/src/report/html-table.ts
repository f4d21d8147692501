/** Tables and text of the reports' pages. */

/** What stands at the head of a column. */
export interface HtmlColumn {
  readonly title: string;
  readonly align: "left" | "right";
  /** Shown where the pointer rests. */
  readonly meaning?: string;
}

/**
 * A table that scrolls by itself where it is too wide; the first cell of each row is its heading.
 *
 * @param rows cells as HTML: what comes from outside is escaped by the caller.
 */
export function htmlTable(
  caption: string,
  columns: readonly HtmlColumn[],
  rows: readonly (readonly string[])[],
): string {
  const cls = (i: number): string => (columns[i]!.align === "right" ? ' class="right"' : "");
  const title = (meaning: string | undefined): string =>
    meaning === undefined ? "" : ` title="${escapeHtml(meaning)}"`;
  return `<div class="scroll"><table aria-label="${escapeHtml(caption)}"><thead><tr>${columns
    .map((column, i) => `<th scope="col"${cls(i)}${title(column.meaning)}>${escapeHtml(column.title)}</th>`)
    .join("")}</tr></thead><tbody>${rows
    .map(
      (row) =>
        `<tr>${row.map((cell, i) => (i === 0 ? `<th scope="row">${cell}</th>` : `<td${cls(i)}>${cell}</td>`)).join("")}</tr>`,
    )
    .join("")}</tbody></table></div>`;
}

/** Text as it may stand in an element or an attribute. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}
