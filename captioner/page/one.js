// The first tab: one photo, its caption, and everything to do with the two.
captioner.make_one = (element, settings, {trigger, upload, server}) => {
  const root = element.querySelector(".cap-one");
  const find = (selector) => root.querySelector(selector);
  const status = find(".cap-status"), others = find(".cap-others"), play = find(".cap-play");
  const look = new captioner.Look(find(".cap-look"), {strip: find(".cap-strip")});
  let caption = null;
  captioner.options = settings.options;

  const say = (text, isError = false) => {
    status.textContent = text;
    status.classList.toggle("cap-error", isError);
  };
  const asker = new captioner.Asker({
    open: async (url) => {
      root.classList.remove("cap-empty");
      return look.open(url);
    },
    send: upload,
    ask: () => trigger("ask"),
    status: (text, isError) => {
      say(text, isError);
      root.classList.toggle("cap-busy", Boolean(text) && !isError);
      if (isError && !caption) root.classList.add("cap-empty");
    },
    clear: () => {
      caption = null;
      root.classList.remove("cap-done");
      others.replaceChildren();
    },
  });

  captioner.choose(root, settings, (file) => asker.take(file), (text) => say(text, true));
  captioner.offerExamples(find(".cap-examples"), settings.examples, (file) => asker.take(file));

  look.onplay = (playing) => (play.textContent = playing ? "■ Stop" : "▶ Play");
  play.addEventListener("click", () => {
    if (!look.playing) return look.play();
    look.stop();
    look.select(look.pinned);
  });

  const strength = find(".cap-strength input");
  const apply = () => root.style.setProperty("--strength", strength.value / 100);
  strength.value = settings.strength * 100;
  strength.addEventListener("input", apply);
  apply();

  const savers = {
    copy: async () => {
      await navigator.clipboard.writeText(caption.caption);
      say("Copied.");
    },
    json: async () => {
      const {preview, alternatives, ...kept} = caption;
      const text = JSON.stringify({photo: asker.photo.orig_name, ...kept}, null, 1);
      captioner.save(new Blob([text], {type: "application/json"}), "attention.json");
    },
    picture: async (kind) => {
      say("Drawing …");
      const {words, attention} = caption;
      const photo = captioner.toJPEG(look.image, 1024);
      const answer = await server.save_keepsake({
        kind, photo, words, attention, caption: caption.caption, strength: strength.value / 100,
      });
      if (answer.error) throw new Error(answer.error);
      captioner.saveAnswer(answer);
      say("");
    },
  };
  find(".cap-save").addEventListener("click", async (event) => {
    const kind = event.target.dataset.save;
    if (!kind || !caption) return;
    try {
      await (savers[kind] ?? savers.picture)(kind);
    } catch (error) {
      say(`This could not be done: ${error.message}`, true);
    }
  });

  const alternative = (other) => {
    const card = captioner.make("div", "cap-card");
    const small = new captioner.Look(card, {overview: true});
    small.open(look.image.src).then(() => small.show(other));
    return card;
  };

  return {
    request: () => asker.request(),
    failed: () => asker.failed(),
    async answered(answer) {
      if (!(await asker.accept(answer))) return;
      caption = answer;
      root.classList.add("cap-done");
      look.show(answer);
      find(".cap-heard").textContent = `Caption: ${answer.caption}`;
      others.replaceChildren();
      if (answer.alternatives.length) {
        others.append(captioner.make("h2", "", {textContent: "It might also have said"}));
        others.append(
          captioner.make("div", "cap-cards", {}, ...answer.alternatives.map(alternative)));
      }
    },
    // The controls beside the photo: kept for the next request, and asked about after a moment.
    choose(alternatives, beam, length_penalty, consensus, temperature, seed, prefix, avoid, style) {
      captioner.options = {
        alternatives, beam, length_penalty, consensus, temperature,
        seed: seed ?? 0, prefix: prefix.trim(),
        style: style === settings.style ? "" : style, // the usual one is every model's own
        avoid: avoid.split(/[\s,;]+/).filter(Boolean),
      };
      clearTimeout(this.choosing);
      this.choosing = setTimeout(() => asker.again(), 500);
      return captioner.options;
    },
  };
};
