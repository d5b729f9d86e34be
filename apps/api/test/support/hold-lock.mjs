/** Takes the lock of the data folder in its argument, says so, and keeps it until it is ended. */
import { lockDataFolder } from '../../build/database/data-lock.js';

try {
  process.once('exit', await lockDataFolder(process.argv[2] ?? ''));
  console.log('taken');
  process.on('SIGTERM', () => process.exit(0));
  setInterval(() => undefined, 1000);
} catch (error) {
  console.log(`refused: ${error instanceof Error ? error.message : String(error)}`);
}
