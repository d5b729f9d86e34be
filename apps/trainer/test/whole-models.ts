/** Whole tiny models to start a run from: golden folders of libs/clip with a tokenizer and an image processor beside them. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
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
  const special = {
    [pad]: '<pad>',
    [eos]: '</s>',
    [unk]: '<unk>',
    ...(bos === undefined ? {} : { [bos]: '<s>' }),
  };
  const words = [...WORDS];
  const vocab: Record<string, number> = {};
  for (let id = 0; id < text.vocab_size; id++) vocab[special[id] ?? words.shift() ?? `<unused${id}>`] = id;
  const token = (content: string) => ({ SpecialToken: { id: content, type_id: 0 } });
  const entry = (content: string, id: number) => ({
    [content]: { id: content, ids: [id], tokens: [content] },
  });
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const wrap = (inner: object[]) => [...(bos === undefined ? [] : [token('<s>')]), ...inner, token('</s>')];
  await json('tokenizer.json', {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: Object.entries(special).map(([id, content]) => ({
      id: Number(id),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: 'Lowercase' },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: wrap([sequence('A')]),
      pair: wrap([sequence('A'), sequence('B')]),
      special_tokens: { ...(bos === undefined ? {} : entry('<s>', bos)), ...entry('</s>', eos) },
    },
    decoder: null,
    model: { type: 'WordLevel', vocab, unk_token: '<unk>' },
  });
  await json('tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: 8,
    pad_token: '<pad>',
    eos_token: '</s>',
    unk_token: '<unk>',
    ...(bos === undefined ? {} : { bos_token: '<s>' }),
    model_input_names: ['input_ids', 'attention_mask'],
  });
  await json('preprocessor_config.json', {
    image_processor_type: 'ViTImageProcessor',
    do_resize: true,
    size: { height: 8, width: 8 },
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  });
}
