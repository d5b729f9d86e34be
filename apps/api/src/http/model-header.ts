/** Header of an answer with the hash of the model that gave it; two answers compare when it is the same. */
export const MODEL_HEADER = 'X-Model';
