// Fills the report from its data. Everything that people or models wrote goes in as text.
const {figures, photos, metrics, about, shown} = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const three = (value) => (value === null || value === undefined ? "–" : value.toFixed(3).replace(/^-(0\.0+)$/, "$1"));
const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)} %`);
const range = (bounds) => (bounds ? `${three(bounds[0])} to ${three(bounds[1])}` : "");
const percents = (bounds) => (bounds ? `${percent(bounds[0])} to ${percent(bounds[1])}` : "");
const title = (name) => name.replace("Bleu_", "BLEU-").replace("_", "-");

function make(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function table(heads, rows) {
  const scroll = make("div", undefined, "scroll"), whole = make("table"), head = make("tr");
  heads.forEach((text) => head.append(make("th", text)));
  whole.append(head);
  for (const row of rows) {
    const line = make("tr");
    row.forEach((cell) => line.append(cell instanceof Node ? cell : make("td", cell)));
    whole.append(line);
  }
  scroll.append(whole);
  return scroll;
}

function section(parent, heading, ...parts) {
  at(parent).append(make("h2", heading), ...parts);
}

at("about").textContent = about;
figures.notes.forEach((note) => at("notes").append(make("li", note)));
for (const name of metrics) {
  const card = make("div", undefined, "score");
  card.append(make("span", title(name)), make("b", three(figures.metrics[name])));
  card.append(make("span", range(figures.intervals[name])));
  at("headline").append(card);
}
const samples = figures.bootstrap.samples, least = 2 / (samples + 1);
at("tables").append(make("p", `The ranges hold 95 % of ${samples} bootstrap samples of the photos. ` +
  `CIDEr's document frequencies are from ${figures.cider_document_frequencies.from} ` +
  `(${figures.cider_document_frequencies.photos} photos).`, "faint"));

if (figures.against) {
  const rows = Object.entries(figures.against.differences).map(([name, one]) => {
    const change = make("td", (one.difference > 0 ? "+" : "") + three(one.difference));
    if (one.p < 0.05) change.className = one.difference > 0 ? "better" : "worse";
    return [title(name), three(figures.metrics[name]), three(figures.against.metrics[name]), change,
      range([one.low, one.high]), one.p <= least ? `< ${(Math.ceil(1000 * least) / 1000).toFixed(3)}` : three(one.p)];
  });
  section("tables", `Against ${figures.against.name}`,
    table(["", "this", "the other", "difference", "95 % of differences", "p"], rows));
}
const further = Object.entries(figures.further_metrics);
section("tables", "Further metrics", table(["", "score", "95 %"],
  further.map(([name, one]) => [title(name), three(one.score), range(one.interval)])));
const grouped = {...(figures.by_source ? {source: figures.by_source} : {}), ...figures.by_group};
for (const [field, groups] of Object.entries(grouped)) {
  const rows = Object.entries(groups), plots = make("div", undefined, "charts");
  plots.append(charts.ranges(`CIDEr by ${field}`, rows.map(([name, one]) =>
    ({name, value: one.metrics.CIDEr, low: one.intervals.CIDEr[0], high: one.intervals.CIDEr[1],
      text: `${name}: ${three(one.metrics.CIDEr)} (${range(one.intervals.CIDEr)}), ${one.photos} photos`}))));
  section("tables", `By ${field}`, table(["", "photos", ...metrics.map(title)],
    rows.map(([name, one]) => [name, one.photos, ...metrics.map((metric) => three(one.metrics[metric]))])),
  plots);
}
if (figures.several) {
  const several = figures.several, counts = several.captions_a_photo;
  section("tables", "Several captions of a photo",
    make("p", `${counts.least === counts.most ? counts.least : `${counts.least} to ${counts.most}`} captions a photo: ` +
      "the mean of each photo's scores, and the best of them for each metric by itself.", "faint"),
    table(["", "mean", "best", "95 %"], [
      ...Object.entries(several.metrics).map(([name, one]) =>
        [title(name), three(one.mean), three(one.oracle), range(one.oracle_interval)]),
      ...Object.entries(several.diversity).map(([name, value]) => [title(name), three(value), "", ""])]));
}
if (figures.human) {
  const cells = (one) => [three(one.value), range(one.interval)];
  section("tables", "Against people's judgement",
    make("p", `${figures.human.ratings} ratings of ${figures.human.photos} photos.`, "faint"),
    table(["", "Kendall's τ-b", "95 %", "τ-c", "95 %", "Pearson", "95 %"],
      Object.entries(figures.human.metrics).map(([name, one]) =>
        [title(name), ...cells(one.tau_b), ...cells(one.tau_c), ...cells(one.pearson)])));
}

for (const name of metrics.filter((one) => !/Bleu_[123]/.test(one))) {
  const values = photos.map((photo) => photo.metrics[name]).filter((value) => value !== null);
  const end = Math.max(1, Math.ceil(values.reduce((most, value) => Math.max(most, value), 0)));
  at("charts").append(charts.histogram(title(name), values, end, 20));
}
const style = figures.how_it_says_it;
const lengths = Object.entries(style.lengths).flatMap(([length, count]) => new Array(count).fill(Number(length)));
const longest = Math.max(...Object.keys(style.lengths).map(Number)) + 1;
at("charts").append(charts.histogram("Words in a caption", lengths, longest, longest));

if (figures.where_it_looked?.words) {
  const looked = figures.where_it_looked;
  const row = (name, one) => [name, one.words, percent(one.accuracy), percent(one.accuracy_of_centre),
    percent(one.accuracy_of_chance), percent(one.attention_mass)];
  const each = Object.entries(looked.by_category).sort((a, b) => b[1].words - a[1].words);
  section("more", "Where it looked",
    make("p", `For ${looked.words} words that name a boxed thing: how often the attention's maximum is ` +
      `inside a box (95 %: ${percents(looked.accuracy_interval)}), how often the photo's centre is, what ` +
      "chance would score (the area of the boxes), and how much of the attention lies on them.", "faint"),
    table(["", "words", "maximum inside", "centre inside", "chance", "attention inside"],
      [row("all", looked), ...each.map(([name, one]) => row(name, one))]));
}
if (figures.what_it_made_up) {
  const made = figures.what_it_made_up;
  const row = (name, one) => [name, one.photos, one.words, percent(one.CHAIRs),
    percents(one.CHAIRs_interval), percent(one.CHAIRi), percents(one.CHAIRi_interval)];
  const words = Object.entries(made.words_made_up).map(([word, times]) => `${word} ${times}×`);
  section("more", "What it made up",
    table(["", "photos", "words judged", "CHAIRs", "95 %", "CHAIRi", "95 %"],
      [row("all photos", made), row("completely boxed", made.completely_boxed)]),
    make("p", words.length ? `Made up: ${words.join(", ")}` : "Nothing made up was found.", "faint"));
}
section("more", "How it says it", table(["", ""], [
  ["distinct captions", percent(style.distinct)],
  ["captions that are not in the training data", percent(style.novel)],
  ["vocabulary", `${style.vocabulary} words`],
  ["distinct pairs of words", String(style.distinct_bigrams)],
  ["mean length", `${style.mean_length.toFixed(1)} words`],
  ["bad endings (“a man on a”)", percent(style.bad_endings)],
  ["a word or phrase twice running", percent(style.repeated)],
  ...(style.self_bleu === undefined ? [] :
    [[`self-BLEU of the ${style.self_bleu_captions} best`, three(style.self_bleu)]]),
]));
if (figures.calibration) {
  const known = figures.calibration, curves = make("div", undefined, "charts"), said = [];
  const byScore = (one, name, heading) => charts.curve(heading, one.cider_by_score.map((bin) =>
    ({x: bin.score, y: bin.CIDEr, text: `${bin.captions} captions: ${three(bin.CIDEr)}`})), name,
    Math.max(...one.cider_by_score.map((bin) => bin.score)),
    Math.max(0.1, ...one.cider_by_score.map((bin) => bin.CIDEr)), false);
  if (known.cider_by_score) {
    said.push(`Correlation of score and CIDEr: Pearson ${three(known.pearson)}, Spearman ${three(known.spearman)}.`);
    curves.append(byScore(known, "score", "CIDEr by the caption's own score"));
  }
  if (known.confidence) {
    const sure = known.confidence;
    said.push(`Confidence: area under the ROC curve for a CIDEr above the median ${three(sure.area_under_curve)} ` +
      `(95 %: ${range(sure.interval)}), expected calibration error ${three(sure.reliability.error)}.`);
    curves.append(byScore(sure, "confidence", "CIDEr by confidence"),
      charts.curve("Captions above the median, by confidence", sure.reliability.bins.map((bin) =>
        ({x: bin.confidence, y: bin.above_median, text: `${bin.captions} captions: ${percent(bin.above_median)}`})),
      "confidence", 1, 1, true));
  }
  if (known.words) {
    said.push(`Expected calibration error of the words: ${three(known.words.error)}.`);
    curves.append(charts.curve("Words that a reference has, by their probability",
      known.words.bins.map((bin) => ({x: bin.probability, y: bin.right,
        text: `${bin.words} words: ${percent(bin.right)}`})), "probability", 1, 1, true));
  }
  section("more", "Does it know when it is right", make("p", said.join(" "), "faint"), curves);
}

// The photos: filtered and sorted, some at a time.
const STEP = 60;
const controls = at("controls");
const option = (value, text) => Object.assign(make("option", text), {value});
const ranked = [...photos].sort((a, b) => b.metrics.CIDEr - a.metrics.CIDEr);
const rank = new Map(ranked.map((photo, index) => [photo, index]));
const kinds = {
  pictured: [`${shown} best and ${shown} worst`, (photo) => rank.get(photo) < shown || rank.get(photo) >= photos.length - shown],
  best: [`${shown} best`, (photo) => rank.get(photo) < shown],
  worst: [`${shown} worst`, (photo) => rank.get(photo) >= photos.length - shown],
  all: ["all", () => true],
  made_up: ["with something made up", (photo) => photo.made_up?.length > 0],
};
for (const [value, [text, test]] of Object.entries(kinds)) {
  if (value === "all" || photos.some(test)) controls.show.append(option(value, text));
}
controls.source.append(option("", "everywhere"));
[...new Set(photos.map((photo) => photo.source).filter(Boolean))].sort()
  .forEach((source) => controls.source.append(option(source, source)));
controls.source.parentElement.hidden = controls.source.options.length < 3;
const keys = {};
["CIDEr", ...metrics.filter((name) => name !== "CIDEr")].forEach((name) => {
  keys[title(name)] = (photo) => photo.metrics[name];
});
if (photos.some((photo) => photo.score !== undefined)) keys["own score"] = (photo) => photo.score;
if (photos.some((photo) => photo.against)) {
  keys["CIDEr gained on the other"] = (photo) => photo.metrics.CIDEr - photo.against.metrics.CIDEr;
}
keys["words"] = (photo) => photo.caption.split(/\s+/).length;
Object.keys(keys).forEach((name) => controls.sort.append(option(name, name)));

function stage(photo, words) {
  const whole = make("div", undefined, "stage"), inner = make("div"), picture = make("img");
  const canvas = make("canvas");
  picture.src = photo.picture;
  picture.alt = photo.caption;
  canvas.hidden = true;
  inner.append(picture, canvas);
  whole.append(inner);
  words.forEach((button, index) => button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") === "true";
    words.forEach((other) => other.setAttribute("aria-pressed", "false"));
    canvas.hidden = on;
    if (on) return;
    button.setAttribute("aria-pressed", "true");
    const [rows, columns] = photo.grid;
    paint(canvas, photo.attention[index], rows, columns, picture.naturalWidth / picture.naturalHeight);
  }));
  return whole;
}

function card(photo) {
  const whole = make("article", undefined, "photo"), body = make("div", undefined, "body");
  const words = (photo.attention ? photo.words : []).map((word) => make("button", word));
  words.forEach((button) => { button.type = "button"; button.setAttribute("aria-pressed", "false"); });
  if (photo.picture) whole.append(stage(photo, words));
  if (words.length) {
    const row = make("div", undefined, "words");
    row.append(...words);
    body.append(row);
  } else {
    body.append(make("p", photo.caption, "caption"));
  }
  const references = make("ul");
  photo.references.forEach((text) => references.append(make("li", text)));
  body.append(references);
  if (photo.against) body.append(make("p", `The other: ${photo.against.caption} (CIDEr ${three(photo.against.metrics.CIDEr)})`));
  if (photo.made_up?.length) body.append(make("p", `Made up: ${photo.made_up.join(", ")}`, "worse"));
  const facts = make("p", undefined, "facts");
  ["CIDEr", "Bleu_4", "METEOR", "ROUGE_L"].forEach((name) => facts.append(make("span", `${title(name)} ${three(photo.metrics[name])}`)));
  if (photo.score !== undefined) facts.append(make("span", `own score ${three(photo.score)}`));
  facts.append(make("span", photo.file_name));
  body.append(facts);
  whole.append(body);
  return whole;
}

let chosen = [], visible = 0;
function more() {
  at("photos").append(...chosen.slice(visible, visible + STEP).map(card));
  visible = Math.min(chosen.length, visible + STEP);
  at("further").hidden = visible >= chosen.length;
  at("count").textContent = `${visible} of ${chosen.length} photos`;
}
function choose() {
  const find = controls.find.value.trim().toLowerCase(), key = keys[controls.sort.value];
  const sign = controls.order.value === "down" ? -1 : 1;
  chosen = photos.filter((photo) => kinds[controls.show.value][1](photo) &&
    (!controls.source.value || photo.source === controls.source.value) &&
    (!find || [photo.caption, photo.file_name, photo.image_id, ...photo.references].join("\n").toLowerCase().includes(find)));
  chosen.sort((a, b) => sign * (key(a) - key(b)));
  at("photos").replaceChildren();
  visible = 0;
  more();
}
controls.addEventListener("input", choose);
controls.addEventListener("submit", (event) => event.preventDefault());
at("further").addEventListener("click", more);
choose();
