/** The README.md that goes into the sample dataset. */
import { CLASSES, COLOUR_NAMES, HELD_OUT, SHAPES, className } from './vocabulary.js';

export function readmeOf(
  recipe: Readonly<Record<'seed' | 'size' | 'train' | 'val' | 'heldOut', number>>,
): string {
  return `# Sample dataset

Drawn scenes with captions in COCO format, made by \`trainer sample-data\` (seed ${recipe.seed}, ${recipe.size}×${recipe.size} pixels).
Generated, free of rights; the same command gives the same bytes.

| split | images | what |
|---|---|---|
| train2017 | ${recipe.train} | one to three objects; none of the held-out combinations |
| val2017 | ${recipe.val} | other images of the combinations that training shows; every 100th holds a red circle above a blue square |
| valheldout2017 | ${recipe.heldOut} | the main (first) object of each image has a held-out combination |

- \`images/{split}/*.jpg\`, \`annotations/captions_{split}.json\` (5 captions an image),
  \`annotations/instances_{split}.json\` (boxes as [x, y, width, height], areas in pixels; segmentation is left empty).
- ${CLASSES.length} categories, colour × shape: ${COLOUR_NAMES.join(', ')} × ${SHAPES.join(', ')}.
- Objects also differ in size (small, medium, large), texture (plain, striped, dotted, checkered), turn and light;
  backgrounds in tone and pattern; every image has clutter and noise.

## Held-out combinations
Training and val2017 contain none of these ${HELD_OUT.length}; each colour and each shape occurs there in other combinations.

${HELD_OUT.map((combination) => `- ${className(combination)}`).join('\n')}
`;
}
