// The second tab: many photos, their captions to correct, and all of them as one file.
captioner.make_many = (element, settings, {server, watch, props}) => {
  const {make} = captioner;
  const root = element.querySelector(".cap-many");
  const find = (selector) => root.querySelector(selector);
  const status = find(".cap-status"), progress = find(".cap-progress");
  const save = find(".cap-save"), album = find(".cap-album");
  let rows = [];

  const say = (text, isError = false) => {
    status.textContent = text;
    status.classList.toggle("cap-error", isError);
  };

  const tell = (total) => {
    const broken = rows.filter((row) => row.error).length;
    const left = rows.length < total ? ` of ${total}` : "";
    const failed = broken ? `, ${broken} could not be read` : "";
    say(`${rows.length}${left} photos done${failed}.`);
    progress.hidden = rows.length === total;
    progress.max = total;
    progress.value = rows.length;
    save.hidden = !rows.some((row) => row.caption);
  };

  const card = (row) => {
    const name = make("div", "cap-name", {textContent: row.path, title: row.path});
    if (row.error) {
      const sign = make("div", "cap-broken", {textContent: "⚠"});
      sign.setAttribute("aria-hidden", "true");
      const reason = make("p", "cap-reason", {textContent: row.error});
      return make("article", "cap-item cap-item-broken", {}, sign, name, reason);
    }
    const image = make("img", "", {src: row.thumbnail, alt: row.caption, loading: "lazy"});
    const text = make("textarea", "cap-text", {value: row.caption, rows: 2, spellcheck: true});
    text.setAttribute("aria-label", `Caption of ${row.path}`);
    const sure = make("span", "cap-note", {
      textContent: `${captioner.percent(row.score)}, ${captioner.sureness(row.score).toLowerCase()}`,
    });
    text.addEventListener("input", () => {
      row.caption = image.alt = text.value;
      row.score = ""; // the sentence is no longer the model's
      sure.textContent = "edited";
    });
    return make("article", "cap-item", {}, make("div", "cap-thumb", {}, image), name, text, sure);
  };

  // Each step brings the album so far; what is on the page, edited or not, stays as it is.
  watch("value", () => {
    if (!props.value) return;
    const fresh = props.value.rows.slice(rows.length).map((row) => ({...row}));
    rows.push(...fresh);
    album.append(...fresh.map(card));
    tell(props.value.total);
  });

  save.addEventListener("click", async (event) => {
    const format = event.target.dataset.save;
    if (!format) return;
    const kept = rows.map(({path, caption, score, error}) => ({path, caption, score, error}));
    const answer = await server.save_album({format, rows: kept});
    if (answer.error) say(answer.error, true);
    else captioner.saveAnswer(answer);
  });

  return {
    request(files) {
      rows = [];
      album.replaceChildren();
      save.hidden = true;
      progress.hidden = false;
      progress.removeAttribute("value");
      say("Looking …");
      return [files, captioner.options];
    },
    failed() {
      progress.hidden = true;
      say(rows.length ? "It ended early." : "No captions were written.", true);
    },
    stopped() {
      progress.hidden = true;
      say(rows.length ? `Stopped after ${rows.length} photos.` : "Stopped.");
    },
  };
};
