/** `trainer export`: writes the ONNX models of a checkpoint. */
import { Option, type Command } from 'commander';
import { BACKEND_NAMES, type BackendName } from '../backend/names.js';

export function addExportCommand(program: Command): void {
  program
    .command('export')
    .description("write a checkpoint's onnx/ models and compare them with the trainer's own embeddings")
    .option('--checkpoint <folder>', 'the checkpoint', 'runs/coco/checkpoint')
    .addOption(
      new Option('--backend <name>', 'what computes the embeddings to compare with')
        .choices(BACKEND_NAMES)
        .default('auto'),
    )
    .action(runExport);
}

interface ExportFlags {
  checkpoint: string;
  backend: BackendName;
}

async function runExport({ checkpoint, backend: name }: ExportFlags): Promise<void> {
  const { openBackend } = await import('../backend/open-backend.js');
  const { exportCheckpoint } = await import('../checkpoint/export-checkpoint.js');
  const backend = await openBackend(name, { log: console.log });
  const { difference } = await exportCheckpoint(checkpoint, backend);
  console.log(`ONNX export differs from the trainer's embeddings by at most ${difference.toExponential(1)}`);
}
