/** Counts the parts of a form by the lines between them (RFC 2046, section 5.1.1), whatever the parser makes of them. */

const BREAK = '\r\n';

export class PartCounter {
  count = 0;
  private readonly delimiter: Buffer | undefined;
  /** The end of the last block, in which a delimiter may have begun. A body begins as if after a line break. */
  private rest = Buffer.from(BREAK);

  /** `contentType` of the request. Without a boundary in it nothing is counted. */
  constructor(contentType: string) {
    const [, quoted, plain] = /;\s*boundary=(?:"([^"\\]+)"|([^\s";]+))/i.exec(contentType) ?? [];
    const boundary = quoted ?? plain;
    if (boundary !== undefined) this.delimiter = Buffer.from(`${BREAK}--${boundary}${BREAK}`, 'latin1');
  }

  push(block: Buffer): void {
    if (this.delimiter === undefined) return;
    const { length } = this.delimiter;
    // Where the two blocks meet, then the new block by itself.
    const seam = Buffer.concat([this.rest, block.subarray(0, length - 1)]);
    this.scan(seam);
    this.scan(block);
    this.rest = Buffer.from(block.length >= length ? block.subarray(1 - length) : seam.subarray(1 - length));
  }

  private scan(bytes: Buffer): void {
    const delimiter = this.delimiter!;
    for (
      let at = bytes.indexOf(delimiter);
      at !== -1;
      at = bytes.indexOf(delimiter, at + delimiter.length - 2)
    ) {
      this.count++;
    }
  }
}
