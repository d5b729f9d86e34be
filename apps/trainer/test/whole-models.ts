/** Whole tiny models to start a run from: golden folders of libs/clip with a tokenizer and an image processor beside them. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { vitProcessor, wordLevelTokenizer } from '@clip-ts/clip';
import { REPOSITORY } from './cli.js';

const GOLDEN = path.join(REPOSITORY, 'libs/clip/test/golden/training');

const WORDS = [
  'a',
  'the',
  'red',
  'green',
  'blue',
  'circle',
  'square',
  'triangle',
  'small',
  'large',
  'left',
  'right',
];

/** Ids of the special tokens, as the models' configs have them. */
interface Specials {
  pad: number;
  bos?: number;
  eos: number;
  unk: number;
}

const MODELS: Record<'clip-finetune' | 'siglip-finetune' | 'vit-roberta', Specials> = {
  'clip-finetune': { pad: 0, bos: 18, eos: 19, unk: 1 },
  'siglip-finetune': { pad: 0, eos: 2, unk: 1 },
  'vit-roberta': { pad: 1, bos: 0, eos: 2, unk: 3 },
};

/** Fills `folder` with one of them. */
export async function writeWholeModel(folder: string, name: keyof typeof MODELS): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const file of ['config.json', 'model.safetensors'])
    await cp(path.join(GOLDEN, name, file), path.join(folder, file));
  const json = (file: string, content: object) => writeFile(path.join(folder, file), JSON.stringify(content));
  const { text_config: text } = JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8')) as {
    text_config: { vocab_size: number; max_position_embeddings: number };
  };
  const { pad, bos, eos, unk } = MODELS[name];
  const special: Record<number, string> = { [pad]: '<pad>', [eos]: '</s>', [unk]: '<unk>' };
  if (bos !== undefined) special[bos] = '<s>';
  const words = [...WORDS];
  const tokens = Array.from(
    { length: text.vocab_size },
    (_, id) => special[id] ?? words.shift() ?? `<unused${id}>`,
  );
  const tokenizer = wordLevelTokenizer({
    tokens,
    special: Object.values(special),
    unknown: '<unk>',
    normalizer: { type: 'Lowercase' },
    preTokenizer: { type: 'BertPreTokenizer' },
    template: { before: bos === undefined ? undefined : '<s>', after: '</s>' },
  });
  await json('tokenizer.json', tokenizer);
  await json('tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: 8,
    pad_token: '<pad>',
    eos_token: '</s>',
    unk_token: '<unk>',
    ...(bos === undefined ? {} : { bos_token: '<s>' }),
    model_input_names: ['input_ids', 'attention_mask'],
  });
  await json('preprocessor_config.json', vitProcessor(8));
}
