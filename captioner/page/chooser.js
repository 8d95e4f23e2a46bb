// How a photo gets in: dropped, pasted, chosen, or one of the examples.
(() => {
  captioner.toJPEG = (image, side) => {
    const scale = Math.min(1, side / Math.max(image.naturalWidth, image.naturalHeight));
    const canvas = captioner.make("canvas", "");
    canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
    canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/jpeg", 0.9);
  };

  captioner.save = (blob, name) => {
    const link = captioner.make("a", "", {href: URL.createObjectURL(blob), download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };

  captioner.saveAnswer = ({name, type, base64}) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    captioner.save(new Blob([bytes], {type}), name);
  };

  // What the server needs to find an uploaded file again.
  captioner.fileData = (uploaded, name) => ({
    path: uploaded.path, orig_name: name, meta: {_type: "gradio.FileData"},
  });

  // Calls `take(file)` for each photo that gets in anywhere on `root`; `complain(text)` otherwise.
  captioner.choose = (root, settings, take, complain) => {
    const input = root.querySelector("input[type=file]");
    const accept = (file) => {
      if (!file) return;
      if (file.size > settings.bytes) {
        const limit = Math.round(settings.bytes / 2 ** 20);
        complain(`${file.name} is larger than ${limit} MB. Make it smaller, then try again.`);
      } else take(file);
    };
    input.addEventListener("change", () => {
      accept(input.files[0]);
      input.value = ""; // so that the same file can be chosen again
    });
    root.addEventListener("dragover", (event) => {
      event.preventDefault();
      root.classList.add("cap-dragging");
    });
    root.addEventListener("dragleave", () => root.classList.remove("cap-dragging"));
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      root.classList.remove("cap-dragging");
      accept(event.dataTransfer.files[0]);
    });
    document.addEventListener("paste", (event) => {
      if (!root.offsetParent || /^(INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
      const file = [...event.clipboardData.files].find(({type}) => type.startsWith("image/"));
      if (file) event.preventDefault();
      accept(file);
    });
    root.querySelectorAll(".cap-choose").forEach((button) =>
      button.addEventListener("click", () => input.click()));
  };

  captioner.offerExamples = (root, examples, take) => {
    root.replaceChildren(...examples.map(({name, url}) => {
      const image = captioner.make("img", "", {src: url, alt: `Example: ${name.split(".")[0]}`});
      const button = captioner.make("button", "", {type: "button"}, image);
      button.addEventListener("click", async () => {
        const blob = await (await fetch(url)).blob();
        take(new File([blob], name, {type: blob.type}));
      });
      return button;
    }));
  };

  // A photo on its way: shown at once, sent to the server, and asked about when both are done.
  captioner.Asker = class {
    constructor({open, send, ask, status, clear}) {
      Object.assign(this, {open, send, ask, status, clear});
      this.photo = null;
    }

    async take(file) {
      const turn = (this.turn = {});
      this.clear();
      this.status("Sending the photo …");
      if (this.url) URL.revokeObjectURL(this.url);
      this.url = URL.createObjectURL(file);
      try {
        const [visible, sent] = await Promise.all([this.open(this.url), this.send(file)]);
        if (this.turn !== turn) return; // another photo came meanwhile
        if (!sent?.path) throw new Error("nothing came back");
        this.photo = captioner.fileData(sent, file.name);
        this.invisible = !visible;
      } catch (error) {
        if (this.turn === turn) this.status(`The photo could not be sent: ${error.message}`, true);
        return;
      }
      this.again();
    }

    // Asks for a caption of the present photo; while one is being written, once more after it.
    again() {
      if (!this.photo) return;
      this.status("Looking …");
      if (this.waiting) {
        this.outdated = true;
        return;
      }
      this.waiting = true;
      this.ask();
    }

    request() {
      return [this.photo, {...captioner.options, preview: this.invisible}];
    }

    // True where the answer is about the present photo and options, and holds a caption.
    async accept(answer) {
      this.waiting = false;
      if (this.outdated) {
        this.outdated = false;
        this.again();
        return false;
      }
      if (!answer || answer.error) {
        this.status(answer?.error ?? "No answer came. Try again.", true);
        return false;
      }
      if (answer.preview) await this.open(answer.preview);
      this.status("");
      return true;
    }

    failed() {
      this.waiting = this.outdated = false;
      this.status("The page is busy. Try again in a moment.", true);
    }
  };
})();
