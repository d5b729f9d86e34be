/** An ELF file whose only section of interest is `.nv_fatbin`: containers of entries, as nvcc lays them out. */

export interface FakeEntry {
  architecture: number;
  code: Buffer;
  isPtx?: boolean;
}

function entryOf({ architecture, code, isPtx = false }: FakeEntry): Buffer {
  const header = Buffer.alloc(64);
  header.writeUInt16LE(isPtx ? 1 : 2, 0);
  header.writeUInt32LE(header.length, 4);
  header.writeUInt32LE(code.length, 8);
  header.writeUInt32LE(architecture, 28);
  return Buffer.concat([header, code]);
}

function containerOf(entries: readonly FakeEntry[]): Buffer {
  const body = Buffer.concat(entries.map(entryOf));
  const header = Buffer.alloc(16);
  header.writeUInt32LE(0xba55ed50, 0);
  header.writeUInt16LE(header.length, 6);
  header.writeBigUInt64LE(BigInt(body.length), 8);
  return Buffer.concat([header, body]);
}

/** Lengths of code must be multiples of 8. */
export function fakeProvider(containers: readonly (readonly FakeEntry[])[]): Buffer {
  const names = Buffer.from('\0.nv_fatbin\0.shstrtab\0\0\0');
  // Containers are aligned and may have gaps between them.
  const fatbin = Buffer.concat(containers.flatMap((entries) => [containerOf(entries), Buffer.alloc(8)]));
  const header = Buffer.alloc(64);
  header.writeUInt32LE(0x464c457f, 0);
  header[4] = 2;
  header.writeBigUInt64LE(BigInt(64 + names.length + fatbin.length), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(3, 60);
  header.writeUInt16LE(2, 62);
  const section = (name: number, start: number, size: number): Buffer => {
    const entry = Buffer.alloc(64);
    entry.writeUInt32LE(name, 0);
    entry.writeBigUInt64LE(BigInt(start), 24);
    entry.writeBigUInt64LE(BigInt(size), 32);
    return entry;
  };
  return Buffer.concat([
    header,
    names,
    fatbin,
    section(0, 0, 0),
    section(1, 64 + names.length, fatbin.length),
    section(12, 64, names.length),
  ]);
}
