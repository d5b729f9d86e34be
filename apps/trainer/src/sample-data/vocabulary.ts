/**
 * The words and looks of the sample dataset: 8 colours × 6 shapes = 48 classes, textures, sizes and backgrounds, and
 * the colour-shape combinations that training never shows.
 */
export type Rgb = readonly [red: number, green: number, blue: number];

export const COLOURS = {
  red: [214, 35, 38],
  orange: [255, 140, 0],
  yellow: [250, 222, 45],
  green: [38, 155, 48],
  blue: [30, 85, 222],
  purple: [132, 45, 172],
  white: [248, 248, 248],
  black: [18, 18, 20],
} as const satisfies Record<string, Rgb>;

export const SHAPES = ['circle', 'square', 'triangle', 'star', 'cross', 'ring'] as const;

/** Muted tones, away from the objects' colours. */
export const BACKGROUNDS = {
  grey: [128, 128, 130],
  beige: [204, 188, 160],
  brown: [112, 88, 68],
  teal: [72, 122, 124],
  lavender: [166, 152, 184],
} as const satisfies Record<string, Rgb>;

export const PATTERNS = ['even', 'shaded', 'speckled', 'lined'] as const;

export type Colour = keyof typeof COLOURS;
export type Shape = (typeof SHAPES)[number];
export type Texture = 'plain' | 'striped' | 'dotted' | 'checkered';
export type Size = 'small' | 'medium' | 'large';
export type Background = keyof typeof BACKGROUNDS;
export type Pattern = (typeof PATTERNS)[number];

export interface ColourShape {
  colour: Colour;
  shape: Shape;
}

export const COLOUR_NAMES = Object.keys(COLOURS) as Colour[];
export const BACKGROUND_NAMES = Object.keys(BACKGROUNDS) as Background[];

/** Every colour-shape class, in the order of its category id (from 1). */
export const CLASSES: readonly ColourShape[] = COLOUR_NAMES.flatMap((colour) =>
  SHAPES.map((shape) => ({ colour, shape })),
);

/** Combinations that no training or val2017 image contains; each shape stays with at least seven colours. */
export const HELD_OUT: readonly ColourShape[] = [
  { colour: 'red', shape: 'star' },
  { colour: 'orange', shape: 'cross' },
  { colour: 'blue', shape: 'ring' },
  { colour: 'purple', shape: 'circle' },
];

const isHeldOut = ({ colour, shape }: ColourShape) =>
  HELD_OUT.some((other) => other.colour === colour && other.shape === shape);

/** The combinations that training shows. */
export const SEEN: readonly ColourShape[] = CLASSES.filter((combination) => !isHeldOut(combination));

export const className = ({ colour, shape }: ColourShape) => `${colour} ${shape}`;

/** COCO category id of a combination, from 1. */
export const categoryId = (combination: ColourShape) =>
  CLASSES.findIndex((c) => c.colour === combination.colour && c.shape === combination.shape) + 1;
