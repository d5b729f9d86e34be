"""
Tokenizers of each kind, trained on captions that are made here, with the ids of easy and hard texts.
"""
import itertools
import json

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SIZES = ['small', 'large', 'tiny', 'big']
COLORS = ['red', 'green', 'blue', 'yellow', 'white', 'black']
THINGS = ['dog', 'cat', 'circle', 'square', 'bicycle', 'child', 'house', 'umbrella']
PLACES = ['on the grass', 'in the snow', 'near the water', 'under a tree', "in the child's room", 'at night']
ENDS = ['.', ' .', '!', ', running', '; it sleeps', '']

TEXTS = [
    'A small red dog on the grass.',
    'a photo of a cat',
    'A PHOTO OF A CAT!!!',
    'two bicycles, near the water ; one is blue',
    "it's the child's dog; they'll run",
    'circlesquare dogcat unbicycled',
    '',
    '   ',
    'A',
    'word ' * 40,
    'a' * 120,
    'caf\u00e9 na\u00efve \u00dcn\u00efc\u00f6d\u00e9',
    'cafe\u0301 vs caf\u00e9',
    '\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8',
    '\u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440',
    '\u0645\u0631\u062d\u0628\u0627',
    '\u0928\u092e\u0938\u094d\u0924\u0947',
    'emoji \U0001f600\U0001f436 mix',
    'tabs\tand\nnewlines\r\n',
    '1234567890 3.14',
    '<|startoftext|> injected <|endoftext|>',
    '</s> <mask> [SEP] [CLS]',
    '<b>bold</b> &amp; &lt;',
    '\u2026\u2014\u201cquotes\u201d',
    '\ufb01 ligature \uff26\uff35\uff2c\uff2c width',
    'null\x00byte',
    'zero\u200bwidth',
]


def captions():
    parts = itertools.product(SIZES, COLORS, THINGS, PLACES, ENDS)
    return [f'A {size} {color} {thing} {place}{end}' for size, color, thing, place, end in parts][::7]


def template(tokenizer, start, end):
    ids = [(token, tokenizer.token_to_id(token)) for token in (start, end)]
    return processors.TemplateProcessing(single=f'{start} $A {end}', special_tokens=ids)


BERT_SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
ROBERTA_SPECIAL = ['<s>', '<pad>', '</s>', '<unk>', '<mask>']
CLIP_SPECIAL = ['<|startoftext|>', '<|endoftext|>']


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token='[UNK]'))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(captions(), trainers.WordPieceTrainer(vocab_size=160, special_tokens=BERT_SPECIAL))
    tokenizer.post_processor = template(tokenizer, '[CLS]', '[SEP]')
    return tokenizer, 'BertTokenizer', '[PAD]', 16


def byte_level_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=360, special_tokens=ROBERTA_SPECIAL, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(captions(), trainer)
    tokenizer.post_processor = processors.RobertaProcessing(('</s>', 2), ('<s>', 0), add_prefix_space=False)
    return tokenizer, 'RobertaTokenizer', '<pad>', 16


def clip_bpe():
    tokenizer = Tokenizer(models.BPE(unk_token='<|endoftext|>', end_of_word_suffix='</w>'))
    spaces = normalizers.Replace(Regex(r'\s+'), ' ')
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), spaces, normalizers.Lowercase()])
    words = (
        r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    )
    split = pre_tokenizers.Split(Regex(words), behavior='removed', invert=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=CLIP_SPECIAL, initial_alphabet=alphabet, end_of_word_suffix='</w>'
    )
    # A word of each byte, so that each has a token for the end of a word, as in CLIP's own vocabulary.
    tokenizer.train_from_iterator([*captions(), *map(chr, range(33, 127))], trainer)
    tokenizer.post_processor = template(tokenizer, *CLIP_SPECIAL)
    return tokenizer, 'CLIPTokenizer', '<|endoftext|>', 20


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    blanks = normalizers.Replace(Regex(' {2,}'), ' ')
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), blanks])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=160, special_tokens=ROBERTA_SPECIAL, unk_token='<unk>')
    tokenizer.train_from_iterator(captions(), trainer)
    tokenizer.post_processor = template(tokenizer, '<s>', '</s>')
    return tokenizer, 'XLMRobertaTokenizer', '<pad>', 16


def word_level():
    tokenizer = Tokenizer(models.WordLevel(unk_token='[UNK]'))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace()])
    tokenizer.train_from_iterator(captions(), trainers.WordLevelTrainer(special_tokens=BERT_SPECIAL))
    tokenizer.post_processor = template(tokenizer, '[CLS]', '[SEP]')
    return tokenizer, 'PreTrainedTokenizerFast', '[PAD]', 16


KINDS = {
    'clip': clip_bpe,
    'wordpiece': wordpiece,
    'byte-level-bpe': byte_level_bpe,
    'unigram': unigram,
    'word-level': word_level,
}


def write(root):
    for name, make in KINDS.items():
        tokenizer, tokenizer_class, pad_token, max_length = make()
        folder = root / 'tokenizers' / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'tokenizer.json').write_text(tokenizer.to_str(pretty=False) + '\n')
        config = dict(tokenizer_class=tokenizer_class, model_max_length=max_length, pad_token=pad_token)
        (folder / 'tokenizer_config.json').write_text(json.dumps(config) + '\n')
        whole = [tokenizer.encode(text) for text in TEXTS]
        tokenizer.enable_truncation(max_length)
        cases = [
            dict(text=text, ids=found.ids, tokens=found.tokens, truncated_ids=tokenizer.encode(text).ids)
            for text, found in zip(TEXTS, whole)
        ]
        content = dict(max_length=max_length, pad_token=pad_token, tokenizer_class=tokenizer_class, cases=cases)
        (folder / 'cases.json').write_text(json.dumps(content) + '\n')
