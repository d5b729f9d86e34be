/** The files of a drop, with those of the folders in it. */

/**
 * @param {DataTransfer} transfer
 * @returns {Promise<File[]>}
 */
export async function droppedFiles(transfer) {
  // The list is gone after the event, so all entries are taken before anything is waited for.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry());
  if (entries.every((entry) => entry === null)) return [...transfer.files];
  /** @type {File[]} */
  const files = [];
  for (const entry of entries) if (entry !== null) await collect(entry, files);
  return files;
}

/** @param {FileSystemEntry} entry @param {File[]} files gets those below it */
async function collect(entry, files) {
  if (entry.isFile) {
    const one = /** @type {FileSystemFileEntry} */ (entry);
    files.push(await new Promise((resolve, reject) => one.file(resolve, reject)));
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  for (;;) {
    // A reader gives some hundred entries at a time, and none when it is through.
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const one of some) await collect(one, files);
  }
}
