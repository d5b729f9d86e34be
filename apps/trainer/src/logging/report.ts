/** report.html of a run: curves, settings, metrics and what the model finds, in one self-contained file. */
import type { MetricsRecord, StepRecord, ValidationRecord } from './metrics-log.js';
import { escapeHtml, lineChart } from './chart.js';

/** A caption and the images that the model ranks first for it. */
export interface SamplePrediction {
  caption: string;
  results: {
    /** data: URI */
    picture: string;
    score: number;
    /** Whether it is the caption's own image. */
    right: boolean;
  }[];
}

export interface ReportContent {
  title: string;
  settings: Record<string, unknown>;
  records: readonly MetricsRecord[];
  predictions: readonly SamplePrediction[];
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem }
figure { margin: 0 } figcaption { font-weight: 600 } small { font-weight: 400 }
svg { width: 100%; height: auto } svg text { font-size: 11px; fill: currentColor; opacity: .75 } .grid { stroke: var(--line) }
table { border-collapse: collapse } td, th { padding: .15rem .7rem; border-bottom: 1px solid var(--line); text-align: left }
.found { display: flex; gap: .5rem; margin: .3rem 0 1rem } .found figure { width: 96px; font-size: 12px; text-align: center }
.found img { width: 96px; height: 96px; object-fit: contain; border: 3px solid transparent; border-radius: 4px }
.found .right img { border-color: #2a9d3f }
`;

function charts(records: readonly MetricsRecord[]): string {
  const steps = records.filter((record): record is StepRecord => record.kind === 'step');
  const checks = records.filter((record): record is ValidationRecord => record.kind === 'validation');
  const ofSteps = (value: (record: StepRecord) => number) => steps.map((r) => [r.update, value(r)] as const);
  const ofChecks = (value: (record: ValidationRecord) => number) =>
    checks.map((r) => [r.update, value(r)] as const);
  return [
    lineChart('Loss', [
      { label: 'training', colour: '#2f6fde', points: ofSteps((r) => r.loss) },
      { label: 'chance', colour: '#999', points: ofSteps((r) => r.chance), dashed: true },
      { label: 'validation', colour: '#d9480f', points: ofChecks((r) => r.loss) },
    ]),
    lineChart('Validation recall at 10', [
      { label: 'text → image', colour: '#2f6fde', points: ofChecks((r) => r.text_to_image_r10) },
      { label: 'image → text', colour: '#d9480f', points: ofChecks((r) => r.image_to_text_r10) },
    ]),
    lineChart('Learning rate', [
      { label: 'AdamW', colour: '#2f6fde', points: ofSteps((r) => r.learning_rate) },
    ]),
    lineChart('Gradient norm', [
      { label: 'before clipping', colour: '#2f6fde', points: ofSteps((r) => r.gradient_norm) },
    ]),
    lineChart('Logit scale', [
      { label: 'exp', colour: '#2f6fde', points: ofSteps((r) => Math.exp(r.logit_scale)) },
    ]),
    lineChart('Speed', [
      { label: 'images/s', colour: '#2f6fde', points: ofSteps((r) => r.images_per_second) },
    ]),
    lineChart('Waiting for data', [
      {
        label: '% of the step',
        colour: '#2f6fde',
        points: ofSteps((r) => (100 * (r.data_seconds ?? 0)) / r.seconds),
      },
    ]),
  ].join('\n');
}

const row = (cells: readonly string[], tag = 'td') =>
  `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;

function validations(records: readonly MetricsRecord[]): string {
  const checks = records.filter((record): record is ValidationRecord => record.kind === 'validation');
  const head = row(['stage', 'epoch', 'loss', 'text → image R@10', 'image → text R@10', ''], 'th');
  const body = checks.map((r) =>
    row([
      String(r.stage),
      String(r.epoch),
      r.loss.toFixed(4),
      r.text_to_image_r10.toFixed(4),
      r.image_to_text_r10.toFixed(4),
      r.best ? 'best so far' : '',
    ]),
  );
  return `<table>${head}${body.join('')}</table>`;
}

const predictionRow = ({ caption, results }: SamplePrediction) =>
  `<p>${escapeHtml(caption)}</p><div class="found">${results
    .map(
      ({ picture, score, right }) =>
        `<figure${right ? ' class="right"' : ''}><img src="${picture}" alt=""><br>${score.toFixed(3)}</figure>`,
    )
    .join('')}</div>`;

export function reportPage({ title, settings, records, predictions }: ReportContent): string {
  const settingRows = Object.entries(settings).map(([name, value]) => row([name, JSON.stringify(value)]));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(title)}</h1>
<div class="charts">${charts(records)}</div>
<h2>Validation</h2>${validations(records)}
${predictions.length > 0 ? `<h2>What the model finds</h2><p>Validation captions and the images ranked first; the caption's own image is framed.</p>${predictions.map(predictionRow).join('\n')}` : ''}
<h2>Settings</h2><table>${settingRows.join('')}</table>
</body></html>
`;
}
