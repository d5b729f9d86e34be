#!/usr/bin/env node
/** The trainer's command line: one file in commands/ for each command. See errors.ts for exit codes. */
import { Command, CommanderError } from 'commander';
import { addEvaluateCommand } from './commands/evaluate.js';
import { addExportCommand } from './commands/export.js';
import { addPretrainCommand } from './commands/pretrain.js';
import { addSampleDataCommand } from './commands/sample-data.js';
import { describeFailure } from './errors.js';

const program = new Command('trainer')
  .description('Train, evaluate and export CLIP-style dual encoders')
  .configureHelp({ showGlobalOptions: true })
  .exitOverride();

addSampleDataCommand(program);
addPretrainCommand(program);
addEvaluateCommand(program);
addExportCommand(program);
for (const command of program.commands)
  command.exitOverride().showHelpAfterError(`(see: trainer ${command.name()} --help)`);

// The reader may close the output early (`| head`), or the disk that it is written to be full; neither may end a run that
// takes hours.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has already printed its message; showing help is not a failure.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    const { message, exitCode } = describeFailure(error);
    console.error(`trainer: ${message}`);
    process.exitCode = exitCode;
  }
}
