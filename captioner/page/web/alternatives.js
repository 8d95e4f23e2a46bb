// Further sentences for the photo, those that say something else.
import {make} from "./dom.js";
import {Look, isContent} from "./look.js";

const content = ({words}) => words.filter(isContent);

const MOST = 3;

// The first few that add a word of content to what was said before.
export function different(answer) {
  const said = new Set(content(answer));
  return answer.alternatives.filter((other) => {
    const fresh = content(other).some((word) => !said.has(word));
    content(other).forEach((word) => said.add(word));
    return fresh;
  }).slice(0, MOST);
}

export function showAlternatives(root, answer, url) {
  const others = different(answer);
  root.replaceChildren();
  if (!others.length) return;
  root.append(make("h2", "", {textContent: "It might also have said"}),
    make("div", "cards", {}, ...others.map((other) => card(other, url))));
}

function card(other, url) {
  const place = make("div"), words = make("p", "words");
  words.setAttribute("role", "group");
  words.setAttribute("aria-label", "An alternative, word by word");
  const look = new Look(place, words);
  look.open(url).then(() => {
    look.show(other);
    look.rest();
  });
  return make("article", "card", {}, place, words);
}
