/** What this process may use of its machine. */
export { freeMemory } from './free-memory.js';
export { usableCores } from './usable-cores.js';
