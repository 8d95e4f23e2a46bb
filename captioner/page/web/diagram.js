// How the data goes in a decoder: three steps, the photo below, the words above.
const NS = "http://www.w3.org/2000/svg";
const STEPS = [70, 150, 230]; // where the cells stand, from the left
const LOOKS = [24, 150, 262]; // where the photo is looked at for each

const draw = (tag, attributes, text = "") => {
  const element = document.createElementNS(NS, tag);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  element.textContent = text;
  return element;
};
const arrow = (path, kind = "") =>
  draw("path", {d: path, class: `arrow ${kind}`, "marker-end": "url(#tip)"});

function tip() {
  const marker = draw("marker", {id: "tip", viewBox: "0 0 6 6", refX: 5, refY: 3, orient: "auto",
    markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse"});
  marker.append(draw("path", {d: "M0 0L6 3L0 6z", fill: "context-stroke"}));
  return marker;
}

// `word`: the last word is read; `summary`: the photo's summary, at every step; `looks`: a part of
// the photo chosen anew. The first state is the summary's in all of them.
export function diagram({word = false, summary = false, looks = false}) {
  const parts = [draw("rect", {x: 8, y: 88, width: 284, height: 18, rx: 3, class: "grid"})];
  for (let x = 28; x < 290; x += 20) parts.push(draw("path", {d: `M${x} 88v18`, class: "line"}));
  parts.push(draw("text", {x: 150, y: 121}, "photo"));
  parts.push(arrow(`M30 86 Q32 56 ${STEPS[0] - 17} 56`, "once"));
  STEPS.forEach((x, step) => {
    parts.push(draw("rect", {x: x - 15, y: 46, width: 30, height: 20, rx: 5, class: "cell"}));
    parts.push(arrow(`M${x} 45V23`), draw("text", {x, y: 16}, `word ${step + 1}`));
    if (step) parts.push(arrow(`M${STEPS[step - 1] + 16} 56H${x - 17}`));
    if (step && word) parts.push(arrow(`M${STEPS[step - 1] + 16} 19 Q${x - 20} 24 ${x - 8} 44`, "word"));
    if (summary) parts.push(arrow(`M${x} 87V68`, "photo"));
    if (looks) {
      parts.push(draw("rect", {x: LOOKS[step] - 8, y: 89, width: 20, height: 16, class: "seen"}));
      parts.push(arrow(`M${LOOKS[step]} 87L${x} 68`, "photo"));
    }
  });
  const svg = draw("svg", {viewBox: "0 0 300 126", class: "diagram", role: "img"});
  svg.setAttribute("aria-label", ["The first state comes from the photo",
    word && "each step reads the word before it",
    summary && "and the same summary of the photo",
    looks && "and the part of the photo it looks at"].filter(Boolean).join(", "));
  svg.append(tip(), ...parts);
  return svg;
}
