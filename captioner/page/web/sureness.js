// How sure the model is, in the words that the program has for it everywhere.
import {percent} from "./dom.js";

// What rows are sorted by: the chance that a person would accept the sentence; where a model brings
// no figures for it, the mean probability of a word.
export const measure = (answer) => answer.confidence ?? answer.score;

export const isDoubtful = (answer) =>
  answer.confidence == null ? answer.score < 0.4 : answer.sure !== "probably right";

export function inWords({sure, confidence, score, attention}) {
  const blind = attention && !attention.length ? " This decoder looks nowhere." : "";
  if (confidence == null) return `On average ${percent(score)} sure of a word.${blind}`;
  const words = sure.charAt(0).toUpperCase() + sure.slice(1);
  return `${words}: people would accept ${percent(confidence)} of such sentences.${blind}`;
}
