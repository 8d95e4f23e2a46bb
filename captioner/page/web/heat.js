// The picture of attention, exactly as captioner/overlay.py draws it.
import {settings} from "./dom.js";

const LEVELS = 256;
const SHADE = 0.4; // how dark it gets where the model did not look
const GLOW = 0.9; // how dense the colour is where it looked most

// The layer over the photo for each level of heat: red, green, blue, alpha.
const layer = (() => {
  const bytes = settings.colours.match(/../g).map((digits) => parseInt(digits, 16));
  const entries = bytes.length / 3;
  const levels = new Uint8ClampedArray(LEVELS * 4);
  for (let level = 0; level < LEVELS; level++) {
    const value = level / (LEVELS - 1);
    const place = value * (entries - 1);
    const low = Math.min(Math.floor(place), entries - 2);
    const glow = GLOW * value ** 1.5;
    const alpha = 1 - (1 - SHADE * (1 - value)) * (1 - glow);
    for (let channel = 0; channel < 3; channel++) {
      const from = bytes[low * 3 + channel], to = bytes[(low + 1) * 3 + channel];
      levels[level * 4 + channel] = (from + (to - from) * (place - low)) * glow / alpha;
    }
    levels[level * 4 + 3] = alpha * 255;
  }
  return levels;
})();

// How much each of `pixels` takes from each of `cells`: a cubic B-spline, rows summing to 1.
const splines = new Map();
function spline(cells, pixels) {
  const key = `${cells}x${pixels}`;
  if (!splines.has(key)) {
    const weights = new Float32Array(pixels * cells);
    for (let pixel = 0; pixel < pixels; pixel++) {
      weights.set(splineAt(cells, (pixel + 0.5) / pixels), pixel * cells);
    }
    splines.set(key, weights);
  }
  return splines.get(key);
}

function splineAt(cells, position) {
  const weights = Array.from({length: cells}, (_, cell) => {
    const distance = Math.abs(position * cells - 0.5 - cell);
    if (distance < 1) return 2 / 3 - distance ** 2 + distance ** 3 / 2;
    return Math.max(0, 2 - distance) ** 3 / 6;
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

// One map, flat (rows × columns), as numbers from 0 to 1 for width × height pixels.
function heat(map, rows, columns, width, height) {
  const across = spline(columns, width), down = spline(rows, height);
  const wide = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let c = 0; c < columns; c++) sum += across[x * columns + c] * map[row * columns + c];
      wide[row * width + x] = sum;
    }
  }
  const picture = new Float32Array(width * height);
  let least = Infinity, most = -Infinity;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += down[y * rows + row] * wide[row * width + x];
      picture[y * width + x] = sum;
      least = Math.min(least, sum);
      most = Math.max(most, sum);
    }
  }
  const even = map.reduce((total, cell) => total + cell, 0) / map.length;
  const scale = 1 / Math.max(most - least, even, 1e-12);
  return picture.map((value) => (value - least) * scale);
}

// Paints a map over a photo of `aspect` (width / height). The stylesheet stretches the canvas
// over the photo; 160 pixels are plenty for a picture as smooth as this.
export function paint(canvas, map, rows, columns, aspect) {
  canvas.width = Math.max(1, Math.round(aspect >= 1 ? 160 : 160 * aspect));
  canvas.height = Math.max(1, Math.round(aspect >= 1 ? 160 / aspect : 160));
  const values = heat(map, rows, columns, canvas.width, canvas.height);
  const picture = new ImageData(canvas.width, canvas.height);
  values.forEach((value, pixel) => {
    const level = Math.round(value * (LEVELS - 1)) * 4;
    picture.data.set(layer.subarray(level, level + 4), pixel * 4);
  });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// The legend: all levels side by side.
export function paintLegend(canvas) {
  canvas.width = LEVELS;
  canvas.height = 1;
  canvas.getContext("2d").putImageData(new ImageData(layer.slice(), LEVELS, 1), 0, 0);
}

// How densely a map looks at a point (0…1 from the left, 0…1 from the top); 1 is an even share.
export function density(map, rows, columns, left, top) {
  const across = splineAt(columns, left), down = splineAt(rows, top);
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      sum += down[row] * across[column] * map[row * columns + column];
    }
  }
  return sum * rows * columns;
}

// Where a map looks, in words, for who cannot see it.
export function place(map, rows, columns) {
  let left = 0, top = 0, squares = 0;
  map.forEach((part, cell) => {
    left += part * ((cell % columns) + 0.5) / columns;
    top += part * (Math.floor(cell / columns) + 0.5) / rows;
    squares += part * part;
  });
  if (1 / (squares * map.length) > 0.6) return "all over the photo";
  const third = (part, names) => names[Math.min(2, Math.floor(part * 3))];
  const across = third(left, ["left", "", "right"]), down = third(top, ["top", "", "bottom"]);
  return across || down ? `the ${[down, across].filter(Boolean).join(" ")}` : "the middle";
}
