/** Injection tokens of what is built before Nest: names for values that have no class of their own here. */
export const CONFIG = Symbol('Config');
/** The API keys: a KeyRing. */
export const KEYS = Symbol('Keys');
export const DATABASE = Symbol('Database');
/** The encoder of CLIP_CHECKPOINT. */
export const ENCODER = Symbol('Encoder');
/** Loads the encoder of another checkpoint. */
export const LOAD_ENCODER = Symbol('LoadEncoder');
/** A function that tells which model answers. */
export const MODEL = Symbol('Model');
export const METRICS = Symbol('Metrics');
