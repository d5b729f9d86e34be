/** An evaluation as a table for the terminal. */
import type { Evaluation } from './evaluate-checkpoint.js';
import type { Recall } from './retrieval.js';

const LABEL_WIDTH = 34;

export function evaluationTable({ retrieval, zero_shot }: Evaluation): string {
  const row = (label: string, ...cells: string[]) =>
    label.padEnd(LABEL_WIDTH) + cells.map((cell) => cell.padStart(7)).join('');
  const recallRow = (label: string, { r1, r5, r10 }: Recall) =>
    row(label, ...[r1, r5, r10].map((recall) => recall.toFixed(3)));
  const lines = [
    row(`retrieval, ${retrieval.images} images, ${retrieval.captions} captions`, 'R@1', 'R@5', 'R@10'),
    recallRow('  text → image', retrieval.text_to_image),
    recallRow('  image → text', retrieval.image_to_text),
  ];
  if (zero_shot.length > 0) lines.push(row('zero-shot', 'top1', 'top5'));
  for (const { name, classes, images, top1, top5 } of zero_shot) {
    lines.push(row(`  ${name} (${classes} classes, ${images} images)`, top1.toFixed(3), top5.toFixed(3)));
  }
  return lines.join('\n');
}
