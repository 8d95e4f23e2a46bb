// How sure the model is, in words that mean the same everywhere on the page.
import {percent} from "./dom.js";

// From `confidence`, the chance that a person would accept the sentence; where a model brings no
// figures for it, from `score`, the mean probability of a word (its quartiles on validation photos).
const STEPS = {
  confidence: [[0.7, "Probably right"], [0.45, "May be right"], [0.2, "Doubtful"],
    [0, "Hardly a photo it can describe"]],
  score: [[0.46, "Probably right"], [0.40, "May be right"], [0.36, "Doubtful"],
    [0, "Probably wrong"]],
};

export const measure = (answer) => answer.confidence ?? answer.score;

export function sureness(answer) {
  const steps = STEPS[answer.confidence == null ? "score" : "confidence"];
  const value = Math.round(measure(answer) * 100) / 100; // as it is shown
  return steps.find(([least]) => value >= least)[1];
}

export function inWords(answer) {
  const part = percent(measure(answer));
  const meaning = answer.confidence == null ? "a word" : "of such sentences are right";
  const blind = answer.attention && !answer.attention.length;
  return `${sureness(answer)} (${part} ${meaning}).${blind ? " This decoder looks nowhere." : ""}`;
}
