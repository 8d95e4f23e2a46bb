// The third tab: the same photo, captioned by every model.
captioner.make_compare = (element, settings, {trigger, upload}) => {
  const {make} = captioner;
  const root = element.querySelector(".cap-compare");
  const status = root.querySelector(".cap-status"), cards = root.querySelector(".cap-cards");
  let url = "";

  const say = (text, isError = false) => {
    status.textContent = text;
    status.classList.toggle("cap-error", isError);
  };
  const asker = new captioner.Asker({
    // Every card shows the photo itself; here it is only tried.
    open: async (address) => {
      root.classList.remove("cap-empty");
      url = address;
      const image = make("img", "", {src: url});
      return image.decode().then(() => true, () => false);
    },
    send: upload,
    ask: () => trigger("ask"),
    status: say,
    clear: () => cards.replaceChildren(),
  });
  captioner.choose(root, settings, (file) => asker.take(file), (text) => say(text, true));

  const card = ({name, error, ...caption}) => {
    const title = make("h2", "", {textContent: name});
    if (error) return make("div", "cap-card", {}, title, make("p", "cap-error", {textContent: error}));
    const place = make("div", "");
    const look = new captioner.Look(place, {overview: true});
    look.open(url).then(() => look.show(caption));
    return make("div", "cap-card", {}, title, place);
  };

  return {
    request: () => asker.request(),
    failed: () => asker.failed(),
    async answered(answer) {
      if (await asker.accept(answer)) cards.replaceChildren(...answer.models.map(card));
    },
  };
};
