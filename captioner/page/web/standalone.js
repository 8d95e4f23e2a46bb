// The script of a page that was saved for one photo.

const root = document.querySelector("main");
const picture = new Look(root.querySelector(".look"), root.querySelector(".words"));
const button = root.querySelector(".play");
picture.onplay = (playing) => (button.textContent = playing ? "■ Stop" : "▶ Play");
button.addEventListener("click", () => {
  if (!picture.playing) return picture.play();
  picture.stop();
  return picture.select(picture.pinned);
});
root.style.setProperty("--strength", settings.strength);
paintLegend(root.querySelector(".legend canvas"));
picture.open(settings.photo).then(() => {
  picture.show(settings);
  picture.arrive();
});
