/** Reads a table page by page. */

/** Rows read from the database at once. */
const PAGE = 1000;

/** Reads pages by key until one is not full. */
export async function eachPage<Row extends { key: number }>(
  read: (page: { afterKey: number; limit: number }) => Promise<Row[]>,
  apply: (rows: Row[]) => Promise<void>,
): Promise<void> {
  let afterKey = -1;
  for (;;) {
    const rows = await read({ afterKey, limit: PAGE });
    await apply(rows);
    if (rows.length < PAGE) return;
    afterKey = rows.at(-1)!.key;
  }
}
