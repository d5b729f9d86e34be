/** Injection tokens of what is built before Nest: names for values that have no class of their own here. */
export const CONFIG = Symbol('Config');
/** The API keys: a KeyRing. */
export const KEYS = Symbol('Keys');
export const DATABASE = Symbol('Database');
export const ENCODER = Symbol('Encoder');
export const METRICS = Symbol('Metrics');
