/** `trainer evaluate`: retrieval recall and zero-shot accuracy of a checkpoint. */
import { Option, type Command } from 'commander';
import { BACKEND_NAMES } from '../backend/names.js';
import type { EvaluateOptions } from '../evaluation/evaluate-checkpoint.js';
import { DEFAULT_WORKERS, integer } from './options.js';

interface EvaluateFlags extends Omit<EvaluateOptions, 'printer'> {
  json: boolean;
}

export function addEvaluateCommand(program: Command): void {
  program
    .command('evaluate')
    .description('measure a checkpoint: retrieval R@1/5/10 both ways and zero-shot accuracy')
    .option('--checkpoint <folder>', 'the checkpoint', 'runs/coco/checkpoint')
    .option(
      '--data <path>',
      'dataset: COCO folder, CSV, TSV or JSONL, tar shards, or a folder for each class',
      'input/MSCOCO',
    )
    .option('--split <name>', 'split for retrieval (default: val2017 or the like)')
    .option('--zero-shot-splits <names...>', 'splits for zero-shot accuracy (default: all but train*)')
    .addOption(new Option('--backend <name>', 'what computes').choices(BACKEND_NAMES).default('auto'))
    .option('--batch-size <pairs>', 'images or captions at a time', integer('--batch-size', 1), 128)
    .option(
      '--workers <threads>',
      'threads that decode images',
      integer('--workers', 1, 256),
      DEFAULT_WORKERS,
    )
    .option('--json', 'print the result as JSON, alone on the last line', false)
    .action(runEvaluate);
}

async function runEvaluate({ json, ...options }: EvaluateFlags): Promise<void> {
  const { evaluateCheckpoint } = await import('../evaluation/evaluate-checkpoint.js');
  const { evaluationTable } = await import('../evaluation/evaluation-table.js');
  const { createProgressPrinter } = await import('../logging/progress.js');
  const printer = createProgressPrinter();
  const evaluation = await evaluateCheckpoint({
    ...options,
    printer,
  });
  console.log(evaluationTable(evaluation));
  if (json) console.log(JSON.stringify(evaluation));
}
