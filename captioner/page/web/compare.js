// The third view: the same photo, captioned by every model, from the weakest to the strongest.
import {tooLarge} from "./chooser.js";
import {make, percent, settings} from "./dom.js";
import {diagram} from "./diagram.js";
import {Look} from "./look.js";
import {Latest, Sending} from "./sending.js";

// The family, as docs/family.md has it: what a decoder reads at each step.
const FAMILY = {
  context: {
    title: "Hears the photo, but not itself",
    story: "At every word it gets the same summary of the photo, but it never learns which word " +
      "it has just written. So it cannot make one word follow from another, and it stammers.",
    reads: {summary: true},
  },
  feedback: {
    title: "Hears itself, and of the photo once",
    story: "A summary of the photo sets its first state; from then on it reads only its own last " +
      "word. The sentence flows, and the photo is half forgotten.",
    reads: {word: true},
  },
  peek: {
    title: "Hears both, always the same of the photo",
    story: "At every word it gets its own last word and the same summary of the photo again.",
    reads: {word: true, summary: true},
  },
  attention: {
    title: "Looks again for every word",
    story: "At every word it gets its own last word, and what it sees where it now looks.",
    reads: {word: true, looks: true},
  },
};
const WHOLE = {
  title: "The whole model",
  story: "Attention as before, larger, with words that its encoder recognises in the photo, and " +
    "trained for longer.",
  reads: {word: true, looks: true},
};

const view = document.getElementById("compare");
const find = (selector) => view.querySelector(selector);
const latest = new Latest();
let sending = null, url = "";

function enter(state, text = "") {
  view.dataset.state = state;
  const status = find(".status");
  status.textContent = text;
  status.classList.toggle("error", state === "failed");
}

export async function take(given) {
  const large = tooLarge(given);
  if (large) return enter("failed", large);
  sending = new Sending(given.file);
  const mine = sending;
  find(".cards").replaceChildren();
  enter("busy", "Every model looks at it …");
  if (url) URL.revokeObjectURL(url);
  url = URL.createObjectURL(given.file);
  return latest.run(async (signal) => {
    try {
      const image = make("img", "", {src: url});
      const visible = await image.decode().then(() => true, () => false);
      const answer = await mine.ask("compare", {preview: !visible}, signal);
      if (signal.aborted) return;
      if (answer.error) throw new Error(answer.error);
      tell(answer, answer.preview ?? url);
    } catch (error) {
      if (!signal.aborted) enter("failed", error.message);
    }
  });
}

export const isEmpty = () => view.dataset.state === "empty";

function tell({models}, photo) {
  enter("done");
  const [whole, ...others] = models, order = Object.keys(FAMILY);
  const family = others.some(({name}) => FAMILY[name]);
  others.sort((one, other) => order.indexOf(one.name) - order.indexOf(other.name));
  find(".shown").src = photo;
  find(".cards").replaceChildren(
    ...[...others, whole].map((model, place) => card(model, photo, family && place + 1)));
}

// `number`: its place in the family; none where the models are of no family.
function card({name, error, ...caption}, photo, number) {
  const about = number ? FAMILY[name] ?? WHOLE : null;
  const head = make("h2", "", {}, about ? `${number}. ${about.title} ` : "", make("code", "", {textContent: name}));
  const story = about ? [make("p", "story", {textContent: about.story}), diagram(about.reads)] : [];
  if (error) return make("article", "card", {}, head, make("p", "error", {textContent: error}), ...story);
  const place = make("div"), words = make("p", "words");
  words.setAttribute("role", "group");
  words.setAttribute("aria-label", `The caption of ${name}, word by word`);
  const look = new Look(place, words);
  look.open(photo).then(() => {
    look.show(caption);
    look.rest();
    look.chips[caption.departs]?.classList.add("wrong");
  });
  const blind = caption.attention.length ? "" : " This decoder looks nowhere: it has no maps.";
  const sure = make("p", "sure", {textContent: departure(caption) + blind});
  return make("article", "card", {}, head, words, sure, ...story, ...blind ? [] : [place]);
}

// Where the sentence first says what the whole model finds improbable.
function departure({words, departs, doubt}) {
  if (departs === undefined) return "";
  const chance = doubt < 0.001 ? "less than 0.1\u00a0%" : `${(doubt * 100).toFixed(1)}\u00a0%`;
  return `Here the whole model would not follow: it gives “${words[departs]}” a chance of ${chance}.`;
}

if (settings.models.length < 2) view.dataset.state = "alone";
