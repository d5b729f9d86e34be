/** The service as a module, for a program that runs it beside something else. Settings are those of the environment. */
export { readConfig } from './config/config.js';
export { createLogger } from './logging/logger.js';
export { startService } from './start.js';
export type { Service } from './start.js';
