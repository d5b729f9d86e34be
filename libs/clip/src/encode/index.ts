export { ClipEncoder, type ClipEncoderOptions } from './clip-encoder.js';
