/** An evaluation as a table for the terminal. */
import type { Evaluation } from './evaluate-checkpoint.js';
import type { Recall } from './retrieval.js';

const MIN_LABEL_WIDTH = 34;
/** Characters of a number, with the space before it. */
const CELL_WIDTH = 7;

export function evaluationTable({ retrieval, zero_shot }: Evaluation): string {
  const recallRow = (label: string, { r1, r5, r10 }: Recall) => [label, ...[r1, r5, r10].map(fraction)];
  const rows = [
    [`retrieval, ${retrieval.images} images, ${retrieval.captions} captions`, 'R@1', 'R@5', 'R@10'],
    recallRow('  text → image', retrieval.text_to_image),
    recallRow('  image → text', retrieval.image_to_text),
    ...(zero_shot.length > 0 ? [['zero-shot', 'top1', 'top5']] : []),
    ...zero_shot.map(({ name, classes, images, top1, top5 }) => [
      `  ${name} (${classes} classes, ${images} images)`,
      fraction(top1),
      fraction(top5),
    ]),
  ];
  const width = Math.max(MIN_LABEL_WIDTH, ...rows.map(([label = '']) => label.length));
  return rows
    .map(
      ([label = '', ...cells]) =>
        label.padEnd(width) + cells.map((cell) => cell.padStart(CELL_WIDTH)).join(''),
    )
    .join('\n');
}

const fraction = (value: number) => value.toFixed(3);
