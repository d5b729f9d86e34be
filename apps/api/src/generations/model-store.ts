/**
 * Copies of the checkpoints that the collection was encoded with, in DATA_DIR/models: a query must be encoded by the
 * model that encoded the images, also after CLIP_CHECKPOINT names another one or the folder has been overwritten.
 *
 * A copy holds what the encoder reads and not the weights of training; where the file system can, it shares the
 * original's blocks until either is changed. It is written whole or not at all. As many are kept as there are
 * generations.
 */
import { constants } from 'node:fs';
import { copyFile, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CONFIG_FILE, MODEL_CARD_FILE, encoderFiles } from '@clip-ts/clip';
import type { PrecisionChoice } from '@clip-ts/clip';
import { makeFolder, writeFolderAtomic } from '@clip-ts/clip/files';
import type { Encoder } from '../encoder/encoder.js';

/** Maximum length of a model card that is shown, in bytes. */
const LONGEST_CARD = 64 * 1024;
const HASH = /^[0-9a-f]{64}$/;

export class ModelStore {
  /** @param root DATA_DIR/models @param precision of the models that are copied */
  constructor(
    private readonly root: string,
    private readonly precision: PrecisionChoice,
  ) {}

  /** The folder of a model, or undefined when there is none. */
  async folder(hash: string): Promise<string | undefined> {
    if (!HASH.test(hash)) return undefined; // it is no name of a folder
    const folder = join(this.root, hash);
    const found = await stat(join(folder, CONFIG_FILE)).catch(() => undefined);
    return found === undefined ? undefined : folder;
  }

  /** Copies the checkpoint of an encoder unless that was done. */
  async keep({ model, folder }: Pick<Encoder, 'model' | 'folder'>): Promise<void> {
    if ((await this.folder(model.hash)) !== undefined) return;
    const names = await encoderFiles(folder, this.precision);
    await writeFolderAtomic(join(this.root, model.hash), async (copy) => {
      for (const name of names) {
        const target = join(copy, name);
        await makeFolder(dirname(target));
        if (name === CONFIG_FILE) await writeFile(target, await scoredConfig(join(folder, name), model));
        else await copyFile(join(folder, name), target, constants.COPYFILE_FICLONE);
      }
    });
  }

  /** The model card in Markdown, as far as there is one. */
  async card(hash: string): Promise<string | null> {
    const folder = await this.folder(hash);
    if (folder === undefined) return null;
    const text = await readFile(join(folder, MODEL_CARD_FILE), 'utf8').catch(() => null);
    return text?.slice(0, LONGEST_CARD) ?? null;
  }

  /** Removes the copies of all other models, and what writes that were cut off left behind. */
  async prune(hashes: readonly string[]): Promise<void> {
    const names = await readdir(this.root).catch((): string[] => []);
    for (const name of names) {
      if (!hashes.includes(name)) await rm(join(this.root, name), { recursive: true, force: true });
    }
  }
}

/** config.json with the scale that the weights hold, which are not copied. */
async function scoredConfig(path: string, { logitScale, logitBias }: Encoder['model']): Promise<string> {
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  const scoring = {
    logit_scale: Math.log(logitScale),
    ...(logitBias !== undefined && { logit_bias: logitBias }),
  };
  return JSON.stringify({ ...config, ...scoring }, null, 2);
}
