/** generation: text on the command line. Loads TFJS, so only a command that generates imports this, and never the server. */
export { type AdapterChoice, loadAdapter } from './adapter-choice.ts';
export { generateTo, type GenerationReport } from './generate-to.ts';
export { loadModel, type ModelChoice } from './model-choice.ts';
