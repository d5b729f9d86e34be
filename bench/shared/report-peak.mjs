/** Preloaded into a process (`node --import`): writes its peak resident set, MB, to the file PEAK_RSS_FILE as it ends. */
import { writeFileSync } from 'node:fs';
import { peakRssMb } from './side.mjs';

const file = process.env.PEAK_RSS_FILE;
if (file !== undefined) process.on('exit', () => writeFileSync(file, String(peakRssMb())));
