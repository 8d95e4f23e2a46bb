// Small charts as SVG: histograms and curves. Each returns a <figure>.
const charts = (() => {
  const WIDTH = 340, HEIGHT = 170, LEFT = 34, BOTTOM = 24, TOP = 8;
  const across = WIDTH - LEFT - 8, up = HEIGHT - BOTTOM - TOP;

  function svg(name, attributes, text) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  const brief = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 0));

  // An empty chart with axes from 0 to the given ends, and functions from values to places.
  function frame(title, xEnd, yEnd, xName) {
    const figure = document.createElement("figure");
    figure.append(Object.assign(document.createElement("figcaption"), {textContent: title}));
    const picture = svg("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title});
    const x = (value) => LEFT + (value / xEnd) * across;
    const y = (value) => TOP + up - (value / yEnd) * up;
    for (const part of [0, 0.5, 1]) {
      picture.append(svg("line", {class: "axis", x1: LEFT, x2: WIDTH - 8, y1: y(part * yEnd), y2: y(part * yEnd)}));
      picture.append(svg("text", {x: LEFT - 5, y: y(part * yEnd) + 4, "text-anchor": "end"}, brief(part * yEnd)));
      const anchor = part === 0 ? "start" : part === 1 ? "end" : "middle";
      picture.append(svg("text", {x: x(part * xEnd), y: HEIGHT - 8, "text-anchor": anchor}, brief(part * xEnd)));
    }
    picture.append(svg("text", {x: x(0.75 * xEnd), y: HEIGHT - 8, "text-anchor": "middle"}, xName));
    figure.append(picture);
    return {figure, picture, x, y};
  }

  // How many values fall into each of `bins` bins from 0 to `end`.
  function histogram(title, values, end, bins) {
    const counts = new Array(bins).fill(0);
    for (const value of values) counts[Math.min(bins - 1, Math.floor((value / end) * bins))]++;
    const most = Math.max(1, ...counts);
    const {figure, picture, x, y} = frame(title, end, most, "");
    counts.forEach((count, bin) => {
      const from = (bin * end) / bins, to = ((bin + 1) * end) / bins;
      const bar = svg("rect", {class: "bar", x: x(from) + 1, width: Math.max(1, x(to) - x(from) - 2),
        y: y(count), height: y(0) - y(count)});
      bar.append(svg("title", {}, `${brief(from)} to ${brief(to)}: ${count}`));
      picture.append(bar);
    });
    return figure;
  }

  // Points joined by a line; with `ideal`, the diagonal that they should follow.
  function curve(title, points, xName, xEnd, yEnd, ideal) {
    const {figure, picture, x, y} = frame(title, xEnd, yEnd, xName);
    if (ideal) picture.append(svg("line", {class: "ideal", x1: x(0), y1: y(0), x2: x(xEnd), y2: y(yEnd)}));
    const places = points.map((point) => `${x(point.x)},${y(point.y)}`);
    picture.append(svg("polyline", {class: "line", points: places.join(" ")}));
    for (const point of points) {
      const dot = svg("circle", {class: "dot", cx: x(point.x), cy: y(point.y), r: 4});
      dot.append(svg("title", {}, point.text));
      picture.append(dot);
    }
    return figure;
  }

  // A row a group: its name, its value as a dot, and the line from `low` to `high`.
  function ranges(title, rows) {
    const row = 22, tall = TOP + row * rows.length + BOTTOM, start = 110;
    const end = Math.max(0.1, ...rows.map((one) => one.high));
    const x = (value) => start + (value / end) * (WIDTH - start - 12);
    const figure = document.createElement("figure");
    figure.append(Object.assign(document.createElement("figcaption"), {textContent: title}));
    const picture = svg("svg", {viewBox: `0 0 ${WIDTH} ${tall}`, role: "img", "aria-label": title});
    rows.forEach((one, index) => {
      const y = TOP + row * (index + 0.5);
      const name = one.name.length > 16 ? `${one.name.slice(0, 15)}…` : one.name;
      picture.append(svg("text", {x: start - 6, y: y + 4, "text-anchor": "end"}, name));
      picture.append(svg("polyline", {class: "line", points: `${x(one.low)},${y} ${x(one.high)},${y}`}));
      const dot = svg("circle", {class: "dot", cx: x(one.value), cy: y, r: 4});
      dot.append(svg("title", {}, one.text));
      picture.append(dot);
    });
    for (const part of [0, 0.5, 1]) {
      picture.append(svg("text", {x: x(part * end), y: tall - 8, "text-anchor": "middle"}, brief(part * end)));
    }
    figure.append(picture);
    return figure;
  }

  return {histogram, curve, ranges};
})();
