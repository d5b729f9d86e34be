import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { modelConfigSchema } from './model-config.js';
import { parseConfig, readConfig } from './read-config.js';
import { trainingConfigSchema } from './training-config.js';
import { wandbAccount, wandbConfigSchema } from './wandb-config.js';

const INPUT = fileURLToPath(new URL('../../../../input', import.meta.url));
const shipped = (name: string) => path.join(INPUT, `${name}.json`);

describe('configuration files', () => {
  it.each(['', 'sample/', 'photos/', 'photos-pretrained/'])('ships a valid set in input/%s', async (set) => {
    await readConfig(modelConfigSchema, shipped(`${set}model_config`));
    await readConfig(trainingConfigSchema, shipped(`${set}freeze_training_config`));
    await readConfig(trainingConfigSchema, shipped(`${set}training_config`));
  });

  it("keeps the original script's keys", async () => {
    const keys = async (name: string) =>
      Object.keys(JSON.parse(await readFile(shipped(name), 'utf8')) as object);
    expect(await keys('model_config')).toEqual([
      'vision_backbone',
      'text_backbone',
      'max_length_corpus',
      'dim',
      'dropout',
    ]);
    expect(await keys('training_config')).toEqual(await keys('freeze_training_config'));
    expect(await keys('wandb_config')).toEqual(['WB_ENTITY', 'WB_PROJECT', 'WB_KEY']);
  });

  it('lists the known keys beside an unknown one', () => {
    const parse = () =>
      parseConfig(
        wandbConfigSchema,
        { WB_ENTITY: 'a', WB_PROJECT: 'b', WB_KEY: 'c', WB_NAME: 'd' },
        'w.json',
      );
    expect(parse).toThrow('w.json: unknown key "WB_NAME"; known keys: WB_ENTITY, WB_PROJECT, WB_KEY');
  });

  it('names missing and mistyped keys with what was expected', () => {
    const content = {
      vision_backbone: 5,
      text_backbone: { hidden_size: 3 },
      max_length_corpus: 1,
      dim: 8,
      dropout: 1,
    };
    const parse = () => parseConfig(modelConfigSchema, content, 'm.json');
    expect(parse).toThrow(
      '"vision_backbone": expected a hub id, a folder, or an object with "model_type", found 5',
    );
    expect(parse).toThrow('"text_backbone"');
    expect(parse).toThrow('"max_length_corpus": expected -1 or an integer of at least 3, found 1');
    expect(parse).toThrow('"dropout": expected 0 ≤ dropout < 1, found 1');
    expect(() => parseConfig(modelConfigSchema, {}, 'm.json')).toThrow('"dim" is missing');
  });

  it('takes placeholders and a missing key as no account', () => {
    const placeholders = { WB_ENTITY: 'XXXXXX', WB_PROJECT: 'XXXXXX', WB_KEY: 'XXXXXX' };
    expect(wandbAccount(placeholders, 'key')).toBeUndefined();
    const named = { WB_ENTITY: 'team', WB_PROJECT: 'clip', WB_KEY: 'XXXXXX' };
    expect(wandbAccount(named, undefined)).toBeUndefined();
    expect(wandbAccount(named, 'key')).toEqual({ entity: 'team', project: 'clip', key: 'key' });
    expect(wandbAccount({ ...named, WB_KEY: 'own' }, 'key')?.key).toBe('own');
  });
});
