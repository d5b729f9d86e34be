/**
 * The GPU code inside a shared library that nvcc linked: section `.nv_fatbin` of an ELF64 file, a row of containers (one
 * for each source file), each with one entry for each architecture. cuobjdump lists them and nvprune takes relocatable objects
 * only, so both are done here.
 *
 * Container: magic 0xBA55ED50 (4 bytes), version (2), size of this header (2), size of the entries (8).
 * Entry: kind (2; 1 PTX, 2 machine code), version (2), size of this header (4), size of the code (4 at 8), architecture
 * (4 at 28; 90 is sm_90).
 */

/**
 * @typedef {object} Entry
 * @property {number} start      of the code, in the file
 * @property {number} size       bytes
 * @property {number} architecture  90 for sm_90
 * @property {boolean} isPtx
 */

const ELF_MAGIC = 0x464c457f;
const CONTAINER_MAGIC = 0xba55ed50;
const SECTION = '.nv_fatbin';

/**
 * Where the section lies in the file; undefined where there is none.
 * @param {Buffer} file
 */
function findSection(file) {
  if (file.length < 64 || file.readUInt32LE(0) !== ELF_MAGIC || file[4] !== 2)
    throw new Error('not an ELF file of 64 bits');
  const table = Number(file.readBigUInt64LE(40));
  const size = file.readUInt16LE(58);
  const count = file.readUInt16LE(60);
  const nameIndex = file.readUInt16LE(62);
  const header = (/** @type {number} */ i) => file.subarray(table + i * size, table + (i + 1) * size);
  const place = (/** @type {Buffer} */ h) => ({
    start: Number(h.readBigUInt64LE(24)),
    size: Number(h.readBigUInt64LE(32)),
  });
  const names = place(header(nameIndex));
  for (let i = 0; i < count; i++) {
    const start = names.start + header(i).readUInt32LE(0);
    if (file.toString('latin1', start, file.indexOf(0, start)) === SECTION) return place(header(i));
  }
  return undefined;
}

/**
 * The containers of a library, each as its entries.
 * @param {Buffer} file
 * @returns {Entry[][]}
 * @throws Error for a file that is no ELF file, or whose GPU code has another form
 */
export function readContainers(file) {
  const section = findSection(file);
  if (section === undefined) return [];
  const end = section.start + section.size;
  const containers = [];
  for (let at = section.start; at + 16 <= end;) {
    if (file.readUInt32LE(at) !== CONTAINER_MAGIC) {
      at += 8; // containers are aligned
      continue;
    }
    const first = at + file.readUInt16LE(at + 6);
    const last = first + Number(file.readBigUInt64LE(at + 8));
    const entries = [];
    for (let entry = first; entry < last;) {
      const start = entry + file.readUInt32LE(entry + 4);
      const size = file.readUInt32LE(entry + 8);
      if (start <= entry || start + size > last) throw new Error(`unknown form of GPU code at byte ${entry}`);
      entries.push({
        start,
        size,
        architecture: file.readUInt32LE(entry + 28),
        isPtx: file.readUInt16LE(entry) === 1,
      });
      entry = start + size;
    }
    containers.push(entries);
    at = last;
  }
  return containers;
}

/** The architectures that most of a library's code is compiled for, ascending: [75, 80, 90]. @param {Entry[][]} containers */
export function architecturesOf(containers) {
  const counts = new Map();
  for (const entries of containers)
    for (const { architecture, isPtx } of entries)
      if (!isPtx) counts.set(architecture, (counts.get(architecture) ?? 0) + 1);
  const most = Math.max(0, ...counts.values());
  return [...counts]
    .filter(([, count]) => 3 * count >= most)
    .map(([architecture]) => Number(architecture))
    .sort((a, b) => a - b);
}

/**
 * Whether machine code for one architecture runs on a GPU of another: within the same major version, on later minors.
 * @param {number} code @param {number} gpu
 */
export const runsOn = (code, gpu) => Math.floor(code / 10) === Math.floor(gpu / 10) && code <= gpu;

/**
 * Overwrites with zeros, in place, the code that a GPU of this architecture does not take, so that the file compresses to
 * a fraction; headers stay, so CUDA still finds its way. Containers whose every entry fails `keeps` lose all their code: a kernel of theirs
 * cannot be started any more.
 * @param {Buffer} file
 * @param {number} gpu for instance 90
 * @param {(entries: Entry[]) => boolean} [keeps]
 * @returns {{ kept: number, dropped: number }} bytes of code
 */
export function prune(file, gpu, keeps = () => true) {
  const total = { kept: 0, dropped: 0 };
  for (const entries of readContainers(file)) {
    const wanted = keeps(entries) ? bestFor(entries, gpu) : undefined;
    for (const entry of entries) {
      if (entry.architecture === wanted) {
        total.kept += entry.size;
      } else {
        file.fill(0, entry.start, entry.start + entry.size);
        total.dropped += entry.size;
      }
    }
  }
  return total;
}

/** The architecture whose code CUDA takes for this GPU. @param {Entry[]} entries @param {number} gpu */
function bestFor(entries, gpu) {
  const fitting = entries.filter(({ architecture, isPtx }) => !isPtx && runsOn(architecture, gpu));
  return fitting.length > 0 ? Math.max(...fitting.map(({ architecture }) => architecture)) : undefined;
}
