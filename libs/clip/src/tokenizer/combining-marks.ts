/**
 * Combining marks in their canonical order (Unicode Standard, section 3.11). Bringing them there takes a normaliser
 * time that grows with the square of their number: V8's moves each mark to its place by itself.
 */

/** Shorter runs cost nothing; no language stacks more than a few marks. */
const LONG_RUN = /\p{M}{64,}/gu;

/**
 * The text with the marks of long runs decomposed and in order, so that NFC, NFD, NFKC and NFKD have nothing left to
 * move. They give the same as for the text as it was.
 */
export function orderMarks(text: string): string {
  return text.replace(LONG_RUN, (run) => orderRun(Array.from(run, (mark) => mark.normalize('NFD')).join('')));
}

function orderRun(run: string): string {
  const ranks = ranksOf(new Set(run));
  let ordered = '';
  let movable: string[] = [];
  const close = () => {
    ordered += movable.sort((a, b) => ranks.get(a)! - ranks.get(b)!).join('');
    movable = [];
  };
  for (const mark of run) {
    if (ranks.has(mark)) movable.push(mark);
    else {
      close();
      ordered += mark;
    }
  }
  close();
  return ordered;
}

/** Marks of the lowest class and of the highest. */
const FIRST = '\u0334';
const LAST = '\u0345';

/** Marks by the order of their combining classes; those of class 0, which nothing moves across, are left out. */
function ranksOf(marks: ReadonlySet<string>): ReadonlyMap<string, number> {
  const movable = [...marks]
    .filter((mark) => areSwapped(LAST, mark) || areSwapped(mark, FIRST))
    .sort((a, b) => Number(areSwapped(a, b)) - Number(areSwapped(b, a)));
  const ranks = new Map<string, number>();
  movable.forEach((mark, n) => {
    const before = movable[n - 1];
    if (before === undefined) ranks.set(mark, 0);
    else ranks.set(mark, ranks.get(before)! + Number(areSwapped(mark, before)));
  });
  return ranks;
}

/** Whether the canonical order of two decomposed marks is the other one: JavaScript has no combining classes. */
function areSwapped(first: string, second: string): boolean {
  return (first + second).normalize('NFD') !== first + second;
}
